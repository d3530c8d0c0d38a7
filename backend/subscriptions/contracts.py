"""Contracts: their commitments, amendments and service levels, and what a period has of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy import RowMapping, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.catalog.published import latest_plan
from backend.errors import InvalidInput
from backend.ids import new_id
from backend.pricing.periods import BillingPeriod
from backend.pricing.rating.commitments import Commitment, CommittedPeriod, ServiceBand, TrueUp
from backend.pricing.rating.contract import ContractPeriod
from backend.storage.tables import contract_amendments, contracts
from backend.subscriptions.errors import (
    ContractNotFound,
    ContractOverlap,
    ContractWithoutCommitment,
)
from backend.subscriptions.instalments import (
    instalments_of,
    plan_instalments,
    read_instalments,
)
from backend.subscriptions.periods import period_at
from backend.subscriptions.segments import lock_subscriptions
from backend_client.types.accounts import Tenant
from backend_client.types.contracts import (
    Amendment,
    AmendmentCreate,
    Contract,
    ContractCreate,
    Instalment,
)
from backend_client.types.texts import AS_STORED

# A call that the provider failed has the status "failed"
_AVAILABILITY = text(
    """
    SELECT count(*) FILTER (WHERE labels ->> 'status' <> 'failed'), count(*)
    FROM events
    WHERE tenant_id = :tenant_id AND time >= :start AND time < :end
        AND sender = 'gateway' AND NOT voided
    """
)


def counted_meters(contract: Contract) -> frozenset[str] | None:
    """Return the meters that a commitment in units counts; None for one in money."""
    commitment = contract.terms.commitment
    if commitment is None or commitment.meters is None:
        return None
    return frozenset(commitment.meters)


async def create_contract(
    connection: AsyncConnection, tenant: Tenant, wanted: ContractCreate
) -> Contract:
    """Store a contract, and the instalments of what its first term has prepaid.

    Raises ``InvalidInput`` unless it starts where a billing period does, and ``Conflict`` if it
    overlaps another.
    """
    await lock_subscriptions(connection, tenant.id)
    if wanted.then_plan is not None:
        await _check_plan_after(connection, wanted.then_plan)
    period = await period_at(connection, tenant, wanted.start)
    if period.start != wanted.start:
        detail = f"must be the start of a billing period, such as {period.end:%Y-%m-%dT%H:%MZ}"
        raise InvalidInput.of_field("start", detail)
    periods = await periods_of(connection, tenant, wanted)
    end = periods[-1].end
    parts = instalments_of(wanted, periods, tenant.currency)
    overlap = select(contracts.c.id).where(
        contracts.c.tenant_id == tenant.id,
        contracts.c.start_at < end,
        contracts.c.end_at > wanted.start,
    )
    if await connection.scalar(overlap.limit(1)) is not None:
        raise ContractOverlap()
    contract_id = new_id("ctr")
    await connection.execute(
        insert(contracts).values(
            tenant_id=tenant.id,
            id=contract_id,
            definition=wanted.model_dump(mode="json"),
            start_at=wanted.start,
            end_at=end,
            prepaid_until=wanted.start if parts else None,
        )
    )
    await plan_instalments(connection, tenant.id, contract_id, parts)
    return await find_contract(connection, tenant.id, contract_id)


async def amend_contract(
    connection: AsyncConnection, tenant: Tenant, contract_id: str, wanted: AmendmentCreate
) -> Contract:
    """Raise the commitment from a moment within a term, until the same end; or end its renewal.

    Raises ``NotFound``, ``Conflict`` without a commitment to raise, ``InvalidInput`` outside the
    terms.
    """
    await lock_subscriptions(connection, tenant.id)
    contract = await find_contract(connection, tenant.id, contract_id)
    if wanted.more and contract.terms.commitment is None:
        raise ContractWithoutCommitment()
    if await contract_term(connection, tenant, contract, wanted.effective_at) is None:
        detail = "must be within the contract's term"
        raise InvalidInput.of_field("effective_at", detail)
    await connection.execute(
        insert(contract_amendments).values(
            tenant_id=tenant.id,
            contract_id=contract_id,
            number=len(contract.amendments) + 1,
            **wanted.model_dump(),
        )
    )
    return await find_contract(connection, tenant.id, contract_id)


async def find_contract(connection: AsyncConnection, tenant_id: str, contract_id: str) -> Contract:
    """Return one of the tenant's contracts; raise ``NotFound``."""
    for contract in await list_contracts(connection, tenant_id):
        if contract.id == contract_id:
            return contract
    raise ContractNotFound()


async def list_contracts(connection: AsyncConnection, tenant_id: str) -> list[Contract]:
    """Return the tenant's contracts, oldest first."""
    query = (
        select(contracts).where(contracts.c.tenant_id == tenant_id).order_by(contracts.c.start_at)
    )
    rows = (await connection.execute(query)).mappings().all()
    if not rows:
        return []
    amendments = select(contract_amendments).where(contract_amendments.c.tenant_id == tenant_id)
    amendments = amendments.order_by(contract_amendments.c.number)
    agreed = (await connection.execute(amendments)).mappings().all()
    planned = await read_instalments(connection, tenant_id)
    return [_contract(row, agreed, planned.get(row["id"], [])) for row in rows]


def _contract(
    row: RowMapping, amendments: Sequence[RowMapping], instalments: list[Instalment]
) -> Contract:
    return Contract(
        id=row["id"],
        terms=ContractCreate.model_validate(row["definition"], context=AS_STORED),
        start=row["start_at"],
        end=row["end_at"],
        amendments=[
            Amendment(
                number=amendment["number"],
                effective_at=amendment["effective_at"],
                more=amendment["more"],
                renews=amendment["renews"],
                reason=amendment["reason"],
                created_at=amendment["created_at"],
            )
            for amendment in amendments
            if amendment["contract_id"] == row["id"]
        ],
        instalments=instalments,
    )


async def contract_in_force(
    connection: AsyncConnection, tenant: Tenant, moment: datetime
) -> Contract | None:
    """Return the contract with the term that ``moment`` is in, if there is one.

    That is the last that began: it takes the place of one that would renew.
    """
    query = select(func.count()).where(
        contracts.c.tenant_id == tenant.id, contracts.c.start_at <= moment
    )
    if not await connection.scalar(query):
        return None
    begun = [
        contract
        for contract in await list_contracts(connection, tenant.id)
        if contract.start <= moment
    ]
    return await contract_term(connection, tenant, begun[-1], moment)


async def contract_term(
    connection: AsyncConnection, tenant: Tenant, contract: Contract, moment: datetime
) -> Contract | None:
    """Return a contract as it is in the term that ``moment`` is in; None outside its terms.

    Each term that follows the first is of the same length and has the same terms; amendments are
    of the term in which they begin.
    """
    if moment < contract.start:
        return None
    term = contract
    while moment >= term.end:
        if not _renews(contract, term.end):
            return None
        terms = term.terms.model_copy(update={"start": term.end})
        end = (await periods_of(connection, tenant, terms))[-1].end
        term = term.model_copy(update={"terms": terms, "start": term.end, "end": end})
    amendments = [
        amendment
        for amendment in contract.amendments
        if term.start <= amendment.effective_at < term.end
    ]
    return term.model_copy(update={"amendments": amendments})


def _renews(contract: Contract, at: datetime) -> bool:
    """Return whether another term follows the one that ends ``at`` then."""
    choices = [
        amendment.renews
        for amendment in contract.amendments
        if amendment.renews is not None and amendment.effective_at < at
    ]
    return choices[-1] if choices else contract.terms.renews


async def last_end(
    connection: AsyncConnection, tenant: Tenant, contract: Contract, now: datetime
) -> datetime | None:
    """Return where a contract ended for good by ``now``; None if it runs, or renewed."""
    term = contract
    while term.end <= now:
        following = await contract_term(connection, tenant, contract, term.end)
        if following is None:
            return term.end
        term = following
    return None


async def _check_plan_after(connection: AsyncConnection, plan_id: str) -> None:
    """Refuse a plan that could not follow a contract: one not on sale, or prepaid."""
    plan = await latest_plan(connection, plan_id)
    if plan.definition.prepaid:
        raise InvalidInput.of_field("then_plan", "is prepaid, and can't follow a contract")


async def periods_before(
    connection: AsyncConnection, tenant: Tenant, contract: Contract, period: BillingPeriod
) -> list[BillingPeriod]:
    """Return the term's periods before ``period`` whose usage counts in it.

    There are none where each period is settled alone.
    """
    commitment = contract.terms.commitment
    if commitment is None or commitment.true_up == "period":
        return []
    periods = await periods_of(connection, tenant, contract.terms)
    return [earlier for earlier in periods if earlier.end <= period.start]


async def contract_period(
    connection: AsyncConnection,
    tenant: Tenant,
    contract: Contract,
    period: BillingPeriod,
    counted_before: Sequence[Decimal],
) -> ContractPeriod:
    """Return what rating needs to know of the contract in ``period``."""
    periods = await periods_of(connection, tenant, contract.terms)
    index = sum(earlier.end <= period.start for earlier in periods)
    good = total = 0
    if contract.terms.service_levels:
        selected = {
            "tenant_id": tenant.id,
            "start": period.start,
            "end": period.end,
        }
        good, total = (await connection.execute(_AVAILABILITY, selected)).one()
    return ContractPeriod(
        contract.id,
        contract.terms.name,
        _commitment(contract, periods),
        index,
        tuple(counted_before) or (Decimal(0),) * index,
        counted_meters(contract),
        tuple(ServiceBand(level.below, level.credit) for level in contract.terms.service_levels),
        good,
        total,
    )


def _commitment(contract: Contract, periods: Sequence[BillingPeriod]) -> Commitment | None:
    terms = contract.terms.commitment
    if terms is None:
        return None
    amounts = [ramp.amount for ramp in terms.ramps for _ in range(ramp.periods)]
    commitment = Commitment(
        contract.id,
        contract.terms.name,
        tuple(
            CommittedPeriod(period.start, period.end, amount)
            for period, amount in zip(periods, amounts, strict=True)
        ),
        TrueUp(terms.true_up),
        terms.overage_discount,
        terms.unit_price,
        terms.unit_size,
    )
    for amendment in contract.amendments:
        commitment = commitment.amended(amendment.effective_at, amendment.more)
    return commitment


async def periods_of(
    connection: AsyncConnection, tenant: Tenant, terms: ContractCreate
) -> list[BillingPeriod]:
    """Return the billing periods of a term, which begins at the terms' ``start``."""
    periods = [await period_at(connection, tenant, terms.start)]
    while len(periods) < terms.term:
        periods.append(await period_at(connection, tenant, periods[-1].end))
    return periods
