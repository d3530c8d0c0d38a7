"""Contracts on invoices: payment terms, and what one period's late usage does to the next ones."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from backend.customers.profiles import set_terms
from backend.invoices.runs.finalizing import bill_progress
from backend.settings import Settings
from backend.storage.database import Database
from backend.subscriptions.contracts import amend_contract, create_contract
from backend_client.types.accounts import Tenant
from backend_client.types.contracts import AmendmentCreate, ContractCreate
from backend_client.types.invoices import BillingTerms
from tests.support.invoices import (
    APRIL,
    GRACE,
    MARCH,
    MAY,
    count,
    invoices_of,
    lines_of_invoice,
    run_invoices,
    used,
)

pytestmark = pytest.mark.engine

JUNE = MAY + timedelta(days=31)


async def agree(database: Database, tenant: Tenant, **changes: object) -> str:
    """A hundred over March and April, of which each has a fee of 31 in it."""
    commitment = {"ramps": [{"amount": "50", "periods": 2}], "true_up": "term"}
    wanted = {"name": "Deal", "start": MARCH, "commitment": commitment, "net_days": 60}
    async with database.begin() as connection:
        contract = await create_contract(
            connection, tenant, ContractCreate.model_validate(wanted | changes)
        )
    return contract.id


async def totals(database: Database, tenant: Tenant) -> list[str]:
    return [str(row["total"]) for row in await invoices_of(database, tenant)]


async def test_late_usage_counts_towards_a_term_that_was_settled(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    await agree(database, tenant)
    await run_invoices(database, settings, APRIL + GRACE)
    await run_invoices(database, settings, MAY + GRACE)
    assert await totals(database, tenant) == ["31.00", "69.00"]
    [first, _] = await invoices_of(database, tenant)
    assert first["due_at"] == first["issued_at"] + timedelta(days=60)
    # Ten more in March are ten less that are missing at April's end
    await count(database, [used(tenant, MARCH, 1_100_000, "output_tokens")])
    await run_invoices(database, settings, JUNE + GRACE)
    *_, last = await invoices_of(database, tenant)
    late = [line for line in await lines_of_invoice(database, tenant, last["id"]) if line["late"]]
    assert [(line["kind"], line["period_start"], str(line["amount"])) for line in late] == [
        ("charge", MARCH, "10.00"),
        ("true_up", APRIL, "-10.00"),
    ]
    assert str(last["total"]) == "31.00"


async def test_an_amendment_for_a_time_that_was_billed_is_billed_later(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    contract = await agree(database, tenant)
    await run_invoices(database, settings, APRIL + GRACE)
    await run_invoices(database, settings, MAY + GRACE)
    wanted = AmendmentCreate(effective_at=APRIL, more=Decimal(5), reason="more seats")
    async with database.begin() as connection:
        await amend_contract(connection, tenant, contract, wanted)
    await run_invoices(database, settings, JUNE + GRACE)
    assert await totals(database, tenant) == ["31.00", "69.00", "36.00"]


async def test_what_is_missing_to_a_commitment_is_not_billed_in_part(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    commitment = {"ramps": [{"amount": "50", "periods": 1}]}
    await agree(database, tenant, commitment=commitment)
    async with database.begin() as connection:
        terms = BillingTerms(progressive_threshold=Decimal(32))
        await set_terms(connection, tenant.id, terms)
        assert await bill_progress(connection, settings, tenant.id, APRIL - GRACE) is None
    await run_invoices(database, settings, APRIL + GRACE)
    assert await totals(database, tenant) == ["50.00"]
