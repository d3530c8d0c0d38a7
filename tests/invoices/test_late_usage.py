"""However late usage comes, all invoices together ask for what all of it costs."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from backend.customers.profiles import set_terms
from backend.invoices.corrections.voiding import void
from backend.invoices.runs.finalizing import bill_progress
from backend.metering.counting.corrections import CorrectionWanted, correct
from backend.settings import Settings
from backend.storage.database import Database
from backend_client.types.accounts import Tenant
from backend_client.types.invoices import BillingTerms, VoidInvoice
from tests.support.examples import examples
from tests.support.invoices import (
    APRIL,
    GRACE,
    MARCH,
    MAY,
    count,
    invoices_of,
    lines_of_invoice,
    run_invoices,
    subscribed,
    used,
)

pytestmark = pytest.mark.engine

DAY = timedelta(days=1)
JUNE = MAY + 31 * DAY
JULY = JUNE + 30 * DAY
RUNS = [APRIL + GRACE, MAY + GRACE, JUNE + GRACE, JULY + GRACE]
CENT = Decimal("0.01")


async def test_late_usage_is_billed_with_the_next_invoice(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    await count(database, [used(tenant, MARCH + DAY, 1_050_000, "output_tokens")])
    await run_invoices(database, settings, APRIL + GRACE)
    # Half of it still fits into the first tier
    await count(database, [used(tenant, MARCH + 2 * DAY, 100_000, "output_tokens")])
    await run_invoices(database, settings, MAY + GRACE)

    first, second = await invoices_of(database, tenant)
    assert str(first["total"]) == "40.50"  # 31 + 0.95 * 10
    [fee, late] = await lines_of_invoice(database, tenant, second["id"])
    assert (fee["item"], fee["late"], fee["period_start"]) == ("fee", False, APRIL)
    assert (late["item"], late["late"], late["period_start"]) == ("output", True, MARCH)
    assert (late["quantity"], late["before"], late["amount"]) == (
        100_000,
        Decimal("9.50"),
        Decimal("0.75"),  # 0.05 * 10 + 0.05 * 5
    )
    assert str(second["total"]) == "31.75"
    # Nothing changed since: the next says no more of March
    await run_invoices(database, settings, JUNE + GRACE)
    *_, third = await invoices_of(database, tenant)
    assert str(third["total"]) == "31.00"


async def test_usage_that_is_taken_back_is_given_back(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    wrong = used(tenant, MARCH + DAY, 500_000_000)  # 75 dollars
    await count(database, [wrong, used(tenant, MARCH + DAY, 1_100_000, "output_tokens")])
    await run_invoices(database, settings, APRIL + GRACE)
    mistake = CorrectionWanted(
        id="c1",
        event_source=wrong.source,
        event_id=wrong.id,
        data=None,
        reason="sent by mistake",
        actor="operator",
    )
    async with database.raw() as connection, connection.transaction():
        await correct(connection, tenant.id, [mistake], APRIL + GRACE)
    await run_invoices(database, settings, MAY + GRACE)
    first, second = await invoices_of(database, tenant)
    assert str(first["total"]) == "116.00"
    [_, back] = await lines_of_invoice(database, tenant, second["id"])
    assert (back["item"], back["late"], str(back["amount"])) == ("input", True, "-75.00")
    assert back["quantity"] == -500_000_000
    # Below zero: nothing is to be paid, and the next invoice is paid from it
    assert (str(second["total"]), second["state"]) == ("-44.00", "paid")
    await run_invoices(database, settings, JUNE + GRACE)
    *_, third = await invoices_of(database, tenant)
    assert (str(third["total"]), str(third["paid"]), third["state"]) == ("31.00", "31.00", "paid")


async def test_what_comes_after_a_period_without_an_invoice_is_billed_too(
    database: Database, settings: Settings
) -> None:
    """The mark of a period is kept, whether or not there was anything to ask for."""
    tenant = await subscribed(database, "paid", since=APRIL - timedelta(seconds=900))
    await run_invoices(database, settings, APRIL + GRACE)
    [first] = await invoices_of(database, tenant)
    assert str(first["total"]) == "0.01"
    other = await subscribed(database, "free")
    await run_invoices(database, settings, APRIL + GRACE)
    await count(database, [used(other, MARCH, 5)])
    await run_invoices(database, settings, MAY + GRACE)
    assert await invoices_of(database, other) == []


async def test_a_part_of_a_period_is_billed_when_it_passes_the_threshold(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    async def progress() -> str | None:
        async with database.begin() as connection:
            return await bill_progress(connection, settings, tenant.id, MARCH + 20 * DAY)

    await count(database, [used(tenant, MARCH, 10_000_000)])  # 31 + 1.5
    assert await progress() is None  # no threshold is agreed
    async with database.begin() as connection:
        terms = BillingTerms(progressive_threshold=Decimal("32.51"))
        await set_terms(connection, tenant.id, terms)
    assert await progress() is None
    await count(database, [used(tenant, MARCH + DAY, 1_000_000)])
    invoice_id = await progress()
    assert invoice_id is not None
    assert await progress() is None  # what is billed counts no more
    await count(database, [used(tenant, MARCH + 21 * DAY, 2_000_000)])
    await run_invoices(database, settings, APRIL + GRACE)

    part, whole = await invoices_of(database, tenant)
    assert (part["id"], part["kind"], str(part["total"])) == (invoice_id, "progressive", "32.65")
    assert str(whole["total"]) == "0.30"
    lines = await lines_of_invoice(database, tenant, whole["id"])
    assert [(line["kind"], str(line["amount"])) for line in lines] == [
        ("charge", "31.00"),
        ("charge", "1.95"),
        ("invoiced_before", "-32.65"),
    ]


def bill_by_hand(events: list[tuple[int, str, Decimal]]) -> Decimal:
    """The plan "paid" for whole months, worked out from the events and nothing else."""
    used_in: defaultdict[tuple[object, str], Decimal] = defaultdict(Decimal)
    for minute, meter, quantity in events:
        at = MARCH + timedelta(minutes=minute)
        used_in[at.month, meter] += quantity
    total = 4 * Decimal(31)  # March to June
    for (_, meter), quantity in used_in.items():
        if meter == "input_tokens":
            exact = quantity * Decimal("0.15") / 1_000_000
        else:
            billable = max(quantity - 100_000, Decimal(0))
            dear = min(billable, Decimal(1_000_000))
            exact = (dear * 10 + (billable - dear) * 5) / 1_000_000
        total += exact.quantize(CENT, ROUND_HALF_UP)
    return total


arrivals = st.lists(
    st.tuples(
        st.integers(0, 91 * 24 * 60 - 1),  # when it was used: March to May
        st.sampled_from(["input_tokens", "output_tokens"]),
        st.decimals(0, 3_000_000, places=2),
        st.integers(0, 3),  # before which run it came
    ),
    max_size=15,
)


@hypothesis_settings(
    max_examples=examples(25),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    came=arrivals,
    threshold=st.none() | st.decimals(1, 60, places=2),
    voided=st.integers(-1, 3),
    reissue=st.booleans(),
)
async def test_all_invoices_together_ask_for_what_all_usage_costs(
    database: Database,
    settings: Settings,
    came: list[tuple[int, str, Decimal, int]],
    threshold: Decimal | None,
    voided: int,
    reissue: bool,
) -> None:
    tenant = await subscribed(database)
    async with database.begin() as connection:
        await set_terms(connection, tenant.id, BillingTerms(progressive_threshold=threshold))
    for number, as_of in enumerate(RUNS):
        events = [
            used(tenant, MARCH + timedelta(minutes=minute), quantity, meter)
            for minute, meter, quantity, run in came
            if run == number
        ]
        await count(database, events)
        async with database.begin() as connection:
            await bill_progress(connection, settings, tenant.id, as_of - GRACE - 10 * DAY)
        await run_invoices(database, settings, as_of)
        once = await invoices_of(database, tenant)
        # Twice is once
        await run_invoices(database, settings, as_of)
        assert await invoices_of(database, tenant) == once
        if voided == number:
            *_, last = once
            if last["state"] == "finalized":
                wanted = VoidInvoice(reason="a wrong address", reissue=reissue)
                async with database.begin() as connection:
                    await void(connection, settings, tenant, str(last["id"]), wanted, as_of)
                *_, again = await invoices_of(database, tenant)
                assert (again["subtotal"], again["total"]) == (last["subtotal"], last["total"])
    rows = await invoices_of(database, tenant)
    # One that was issued again counts once; one that was waived asked for its part all the same.
    asked = sum(row["subtotal"] for row in rows if row["replaced_by"] is None)
    assert asked == bill_by_hand([event[:3] for event in came])
    for row in rows:
        lines = await lines_of_invoice(database, tenant, row["id"])
        assert sum(line["amount"] for line in lines) == row["subtotal"]
    numbers = [int(str(row["number"])[-6:]) for row in rows]
    assert numbers == list(range(1, len(rows) + 1))
