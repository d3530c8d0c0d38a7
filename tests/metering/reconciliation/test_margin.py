"""Margin: its revenue is the bill's to the last digit, its cost is the usage at known rates."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from backend.accounts.tenants import find_tenant
from backend.errors import ConfigurationError
from backend.metering.counting.batches import count_events
from backend.metering.events import AcceptedEvent
from backend.metering.reconciliation.rates import Rates, load_rates
from backend.spend.gathering import open_period
from backend.storage.database import Database

Headers = dict[str, str]
MILLION = Decimal(1_000_000)
DAY = datetime(2026, 3, 1, tzinfo=UTC).date()


@pytest.mark.fast
def test_list_prices_stand_in_for_rates() -> None:
    rates = Rates(None)
    prices = {
        meter: rates.unit_cost(DAY, "sold", meter, provider="openai", own_names=["gpt-4o"])
        for meter in ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens")
    }
    assert {meter: (price or 0) * MILLION for meter, price in prices.items()} == {
        "input_tokens": Decimal("2.5"),
        "cached_input_tokens": Decimal("1.25"),
        "output_tokens": 10,
        "reasoning_tokens": 10,
    }
    # A provider's name of the operator's own does not hide the model's price; no name, no price.
    assert (
        rates.unit_cost(DAY, "m", "input_tokens", provider="main", own_names=["gpt-4o"]) is not None
    )
    assert rates.unit_cost(DAY, "smollm2-135m-instruct", "input_tokens") is None
    assert rates.unit_cost(DAY, "gpt-4o", "images") is None


@pytest.mark.fast
def test_the_operators_rates_change_on_their_days(tmp_path: Path) -> None:
    path = tmp_path / "rates.yaml"
    path.write_text(
        "currency: EUR\nrates:\n"
        "  - {model: m, meter: output_tokens, price: 0.10, unit_size: 1_000}\n"
        "  - {model: m, meter: output_tokens, price: 0.30, unit_size: 1000, from: 2026-03-01}\n"
    )
    rates = load_rates(path)
    before = datetime(2026, 2, 28, tzinfo=UTC).date()
    assert rates.unit_cost(before, "m", "output_tokens") == Decimal("0.0001")
    assert rates.unit_cost(DAY, "m", "output_tokens") == Decimal("0.0003")
    assert rates.unit_cost(DAY, "m", "reasoning_tokens") == Decimal("0.0003")
    # List prices are in dollars, and no rate of an operator who pays in euros.
    assert rates.unit_cost(DAY, "gpt-4o", "input_tokens", provider="openai") is None


@pytest.mark.fast
@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("currency: USD\n", "rates: Field required"),
        ("currency: USD\nrates: [{model: m, meter: x, price: -1}]", "rates.0.price"),
        ("currency: USD\nrates: [{model: m, meter: x, price: nan}]", "rates.0.price"),
        ("currency: dollars\nrates: []", "currency"),
        ("a: [", "not YAML"),
        (None, "can't be read"),
    ],
)
def test_rates_that_can_not_be_used_are_told_of(
    content: str | None, sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "rates.yaml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigurationError, match=sentence):
        load_rates(path)


def event(tenant: str, number: int, model: str, **quantities: int) -> AcceptedEvent:
    now = datetime.now(UTC)
    return AcceptedEvent(
        tenant_id=tenant,
        source="test",
        id=str(number),
        time=now,
        received_at=now,
        application_id="app_a",
        model=model,
        quantities={meter: Decimal(quantity) for meter, quantity in quantities.items()},
    )


@pytest.mark.engine
async def test_revenue_is_the_bills_and_cost_the_rates(
    api: httpx.AsyncClient,
    operator: Headers,
    database: Database,
    app: Any,
    tmp_path: Path,
) -> None:
    wanted = {"slug": "payer", "name": "Payer", "plan": "pay-as-you-go"}
    tenant = (await api.post("/v1/tenants", headers=operator, json=wanted)).json()["id"]
    async with database.raw() as connection:
        await count_events(
            connection,
            [
                event(tenant, 1, "sample-large", input_tokens=4_000_000, requests=3),
                event(tenant, 2, "sample-large", output_tokens=12_000_000, reasoning_tokens=7),
                event(tenant, 3, "sample-small", input_tokens=1_000_000),
                event(tenant, 4, "smollm2-135m-instruct", input_tokens=999_999),
            ],
        )
    rates = tmp_path / "rates.yaml"
    rates.write_text(
        "currency: USD\nrates:\n"
        "  - {model: sample-large, meter: input_tokens, price: 2}\n"
        "  - {model: sample-large, meter: output_tokens, price: 8}\n"
        "  - {model: sample-small, meter: input_tokens, price: 0.20}\n"
    )
    app.state.services.settings.cost_rates = rates
    answer = await api.get("/v1/margin", headers=operator)
    assert answer.status_code == 200, answer.text
    rows = {row["model"]: row for row in answer.json()["rows"] if row["tenant"] == "payer"}
    large, small, local = (
        rows[model] for model in ("sample-large", "sample-small", "smollm2-135m-instruct")
    )
    # 4 M fresh at 2.50; output 10 M at 10.00 and the rest at 9.00.
    assert Decimal(large["revenue"]) == 10 + 100 + Decimal("2.000007") * 9
    assert Decimal(large["cost"]) == 8 + Decimal("12.000007") * 8
    assert Decimal(large["margin"]) == Decimal(large["revenue"]) - Decimal(large["cost"])
    assert (small["revenue"], small["cost"], small["margin_ratio"]) == ("0.15", "0.2", "-0.3333")
    assert (local["cost"], local["margin"], local["unrated"]) == (None, None, ["input_tokens"])
    async with database.begin() as connection:
        opened = await open_period(
            connection, await find_tenant(connection, tenant), datetime.now(UTC)
        )
    with localcontext(prec=60):
        assert sum(Decimal(row["revenue"]) for row in rows.values()) == opened.rate().exact_total
    csv = await api.get("/v1/margin", headers=operator, params={"format": "csv"})
    assert csv.text.splitlines()[0].startswith("tenant,model,start,end,currency,revenue,cost")
    assert len(csv.text.splitlines()) == 1 + len(answer.json()["rows"])


@pytest.mark.engine
async def test_usage_costs_what_the_upstream_that_served_it_takes(
    api: httpx.AsyncClient, operator: Headers, database: Database, app: Any, tmp_path: Path
) -> None:
    wanted = {"slug": "routed", "name": "Routed", "plan": "pay-as-you-go"}
    tenant = (await api.post("/v1/tenants", headers=operator, json=wanted)).json()["id"]
    calls = [event(tenant, number, "sample-large", input_tokens=1_000_000) for number in range(3)]
    upstreams = ["azure", "openai", ""]
    served = [
        msgspec.structs.replace(call, upstream=upstream)
        for call, upstream in zip(calls, upstreams, strict=True)
    ]
    async with database.raw() as connection:
        await count_events(connection, served)
    rates = tmp_path / "rates.yaml"
    rates.write_text(
        "currency: USD\nrates:\n"
        "  - {model: sample-large, meter: input_tokens, price: 2}\n"
        "  - {model: sample-large, meter: input_tokens, price: 5, upstream: azure}\n"
    )
    app.state.services.settings.cost_rates = rates
    answer = await api.get("/v1/margin", headers=operator)
    [row] = [
        row
        for row in answer.json()["rows"]
        if (row["tenant"], row["model"]) == ("routed", "sample-large")
    ]
    assert (row["cost"], row["unrated"]) == ("9", [])
