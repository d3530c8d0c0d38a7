"""The pure part of Orb: prices, numbers, changes of events, timeframes and signatures."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.platforms.documents import SentDelta, UsageDelta
from backend.platforms.orb import fits
from backend.platforms.orb.credit_notes import own_note
from backend.platforms.orb.events import Change, change_for, event_body, timeframes
from backend.platforms.orb.plans import anchor_day
from backend.platforms.orb.prices import metric_sql, number, price_model
from backend.platforms.orb.signatures import why_refused
from backend.platforms.orb.webhooks import WEBHOOKS
from backend.pricing.money import exact_arithmetic
from backend_client.types.charges import GraduatedCharge, PerUnitCharge, VolumeCharge
from backend_client.types.plans import PlanDefinition
from tests.docs.pages import DOCS
from tests.support.orb.plans import rated
from tests.support.orb.server import signed

pytestmark = pytest.mark.fast

START = datetime(2026, 3, 1, tzinfo=UTC)
QUANTITIES = st.decimals(0, 10**9, places=3)
PRICES = st.decimals(0, 100, places=6)


def delta(quantity: str, *, at: datetime = START, identifier: str = "d1") -> UsageDelta:
    return UsageDelta(identifier, "customer1", "tokens", "large", at, Decimal(quantity))


@given(QUANTITIES, PRICES, st.integers(0, 10**6), st.sampled_from([1, 1_000, 1_000_000]))
def test_units_cost_there_what_they_cost_here(
    quantity: Decimal, price: Decimal, included: int, size: int
) -> None:
    charge = PerUnitCharge.model_validate(
        {
            "id": "c",
            "name": "C",
            "meters": ["m"],
            "models": ["large"],
            "price": price,
            "included": included,
            "unit_size": size,
        }
    )
    with exact_arithmetic():
        ours = max(quantity - included, Decimal(0)) * price / size
    assert rated(price_model(charge), quantity) == ours


@given(QUANTITIES, st.lists(st.integers(1, 10**6), min_size=1, max_size=4, unique=True), PRICES)
def test_tiers_cost_there_what_they_cost_here(
    quantity: Decimal, bounds: list[int], price: Decimal
) -> None:
    tiers = [{"up_to": bound, "price": price * place} for place, bound in enumerate(sorted(bounds))]
    shared: dict[str, Any] = {
        "id": "c",
        "name": "C",
        "meters": ["m"],
        "models": ["large"],
        "unit_size": 1,
        "tiers": [*tiers, {"up_to": None, "price": price}],
    }
    graduated = GraduatedCharge.model_validate({"included": "10", **shared})
    volume = VolumeCharge.model_validate(shared)
    billable, floor, asked = max(quantity - 10, Decimal(0)), Decimal(0), Decimal(0)
    for tier in graduated.tiers:
        top = billable if tier.up_to is None else min(billable, tier.up_to)
        asked += max(top - floor, Decimal(0)) * tier.price
        floor = max(floor, top)
    assert rated(price_model(graduated), quantity) == asked
    reached = next(tier for tier in volume.tiers if tier.up_to is None or quantity <= tier.up_to)
    assert rated(price_model(volume), quantity) == quantity * reached.price


@given(st.decimals(-(10**11), 10**11, places=3))
def test_a_number_is_written_with_its_own_digits_or_refused(value: Decimal) -> None:
    assert Decimal(str(json.loads(json.dumps(number(value))))) == value
    with pytest.raises(ValueError, match="more digits than a number"):
        number(Decimal("12345678901234567.5"))


def test_names_are_quoted_in_a_metric() -> None:
    sql = metric_sql([("tokens", "it's"), ("tokens", "b")])
    assert sql == (
        "SELECT SUM(quantity) FROM events WHERE (event_name = 'fb_tokens' AND model = 'it''s')"
        " OR (event_name = 'fb_tokens' AND model = 'b')"
    )


def test_a_delta_below_zero_changes_the_last_event_that_is_there() -> None:
    first, second = SentDelta("e1", 1, Decimal(10)), SentDelta("e2", 2, Decimal(5))
    less = delta("-4", identifier="e3")
    assert change_for(less, []) is None
    assert change_for(less, [first]) == Change("e1", Decimal(6))
    assert change_for(less, [first, second]) == Change("e2", Decimal(1))
    amended = SentDelta("e3", 3, Decimal(-4), "amends e2")
    assert change_for(delta("-1"), [first, second, amended]) == Change("e2", Decimal(0))
    gone = SentDelta("e4", 4, Decimal(-1), "deprecates e2")
    assert change_for(less, [first, second, amended, gone]) == Change("e1", Decimal(6))
    assert Change("e2", Decimal(0)).how == "deprecates e2"
    assert Change("e2", Decimal(-1)).how == "amends e2"
    all_gone = SentDelta("e2", 2, Decimal(-10), "deprecates e1")
    assert change_for(less, [first, all_gone]) is None


@given(st.lists(st.integers(0, 80 * 96), min_size=1, max_size=40))
def test_timeframes_hold_all_and_are_as_long_as_orb_allows(quarters: list[int]) -> None:
    deltas = [delta("1", at=START + timedelta(minutes=15 * quarter)) for quarter in quarters]
    frames = timeframes(deltas)
    assert sorted(item.at for frame in frames for item in frame.deltas) == sorted(
        item.at for item in deltas
    )
    for frame in frames:
        assert frame.end - frame.start <= timedelta(days=31)
        assert all(frame.start <= item.at < frame.end for item in frame.deltas)
    for before, after in pairwise(frames):
        assert before.end <= after.start


def test_an_event_is_as_orb_describes_it() -> None:
    assert event_body(delta("1.50")) == {
        "event_name": "fb_tokens",
        "customer_id": "customer1",
        "timestamp": "2026-03-01T00:00:00Z",
        "properties": {"model": "large", "quantity": 1.5},
        "idempotency_key": "d1",
    }


@pytest.mark.slow  # to import their SDK takes a second
def test_orbs_own_client_takes_what_we_take() -> None:
    import orb as official  # here: it takes most of a second, which every process would wait for

    body = b'{"id":"whe1","type":"resource_event.test","payload_style":"expanded"}'
    secret, now = "of-a-test", datetime.now(UTC)
    headers = signed(body, secret)
    client = official.Orb(api_key="none", webhook_secret=secret)
    client.webhooks.verify_signature(body, headers)
    assert why_refused(headers, body, [b"of-before", secret.encode()], now) is None
    while_rolled = headers | {"x-orb-signature": f"v1=00 {headers['x-orb-signature']}"}
    client.webhooks.verify_signature(body, while_rolled)
    assert why_refused(while_rolled, body, [secret.encode()], now) is None
    bare = signed(body, secret, now.replace(tzinfo=None))  # Orb's times may have no offset
    assert why_refused(bare, body, [secret.encode()], now) is None
    late = now + timedelta(minutes=6)
    assert why_refused(headers, body, [secret.encode()], late) is not None
    assert why_refused(headers, body, [secret.encode()], now - timedelta(minutes=6)) is not None


def test_our_credit_notes_are_known_by_their_memos() -> None:
    assert own_note("CN-1: too much [crn_01ab]") == "crn_01ab"
    assert own_note("goodwill") is None
    assert own_note(None) is None


def test_the_docs_name_every_webhook_that_is_listened_to() -> None:
    page = (DOCS / "platforms-orb.md").read_text()
    setup = page.partition("2. Make a webhook")[2].partition("3. Set the key")[0]
    for kind in WEBHOOKS:
        assert f"`{kind}`" in setup


INPUT: dict[str, object] = {
    "id": "input",
    "name": "Input",
    "kind": "per_unit",
    "meters": ["input_tokens"],
    "models": ["large"],
    "price": "0.15",
}
TIERS = [{"up_to": "1000", "price": "10", "flat_fee": "1"}, {"up_to": None, "price": "5"}]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, None),
        ({"models": ["large", "small"], "meters": ["input_tokens", "output_tokens"]}, None),
        ({"kind": "graduated", "tiers": [{"up_to": None, "price": "5"}]}, None),
        ({"labels": {"team": "a"}}, "prices some labels"),
        ({"window": "night"}, "Charge 'input' has prices by the hour."),
        ({"minimum": "5"}, "has a minimum"),
        ({"models": None}, "prices all models: name them"),
        ({"kind": "package", "package_size": 10}, "is a package charge"),
        ({"kind": "graduated", "tiers": TIERS}, "has a tier with a fee"),
        ({"included": "123456789012345.678"}, "a bound with more digits"),
        ({"kind": "volume", "tiers": TIERS, "included": "5"}, "included units"),
    ],
)
def test_what_orb_cant_rate_is_named(changes: dict[str, object], why: str | None) -> None:
    charge = INPUT | changes
    if "tiers" in charge:
        del charge["price"]
    hours = {"time_zone": "UTC", "start": "22:00", "end": "06:00"}
    windows = [{"id": "night", "name": "Night", **hours}]
    document = {"id": "sample", "name": "Sample", "windows": windows, "charges": [charge]}
    obstacles = fits.obstacles(PlanDefinition.model_validate(document), "USD")
    if why is None:
        assert obstacles == []
    else:
        assert any(why in obstacle for obstacle in obstacles)


@pytest.mark.parametrize(
    ("start", "end", "day"),
    [
        ("2026-03-01", "2026-04-01", 1),
        ("2026-03-20", "2026-04-05", 5),  # cut short by a new anchor day
        ("2026-03-01", "2026-03-15", 15),
        ("2026-01-31", "2026-02-28", 31),
        ("2026-02-28", "2026-03-31", 31),
    ],
)
def test_periods_begin_with_the_day_on_which_the_first_one_ends(
    start: str, end: str, day: int
) -> None:
    zone = ZoneInfo("Europe/Berlin")
    first, last = (datetime.fromisoformat(text).replace(tzinfo=zone) for text in (start, end))
    assert anchor_day(first.astimezone(UTC), last.astimezone(UTC), zone) == day
