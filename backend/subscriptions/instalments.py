"""When what contracts have prepaid is asked for: the instalments of their terms."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.errors import InvalidInput
from backend.pricing.errors import TooManyDecimals
from backend.pricing.money import minor_digits, round_to_minor_unit
from backend.pricing.periods import BillingPeriod
from backend.pricing.rating.instalments import equal_instalments
from backend.storage.tables import contract_instalments
from backend_client.types.contracts import ContractCreate, Instalment


class Part(NamedTuple):
    """An instalment of a term, due at ``due_at``, and the time ``until`` the next one."""

    term_start: datetime
    number: int
    of: int
    due_at: datetime
    until: datetime
    term_end: datetime
    amount: Decimal


def instalments_of(
    terms: ContractCreate, periods: Sequence[BillingPeriod], currency: str
) -> list[Part]:
    """Return the instalments of a term of ``periods``; none where nothing is prepaid.

    Raises ``InvalidInput`` for amounts that the currency has no coins for.
    """
    prepaid = terms.prepaid
    if prepaid is None:
        return []
    field = "prepaid.amount" if prepaid.instalments is None else "prepaid.instalments"
    if prepaid.instalments is None:
        places = list(range(0, len(periods), prepaid.every_periods))
        _check_coins([prepaid.amount], currency, field)
        try:
            amounts = equal_instalments(prepaid.amount, len(places), currency)
        except ValueError as error:
            raise InvalidInput.of_field(field, "is too little for so many instalments") from error
    else:
        places = [instalment.period - 1 for instalment in prepaid.instalments]
        amounts = [instalment.amount for instalment in prepaid.instalments]
        _check_coins(amounts, currency, field)
    start, end = periods[0].start, periods[-1].end
    dues = [periods[place].start for place in places]
    return [
        Part(start, number, len(dues), due_at, until, end, amount)
        for number, (due_at, until, amount) in enumerate(
            zip(dues, [*dues[1:], end], amounts, strict=True), start=1
        )
    ]


async def plan_instalments(
    connection: AsyncConnection, tenant_id: str, contract_id: str, parts: Sequence[Part]
) -> None:
    """Store the instalments of a term, unless they are there."""
    if parts:
        of = {"tenant_id": tenant_id, "contract_id": contract_id}
        rows = [of | part._asdict() for part in parts]
        await connection.execute(insert(contract_instalments).on_conflict_do_nothing(), rows)


async def read_instalments(
    connection: AsyncConnection, tenant_id: str
) -> dict[str, list[Instalment]]:
    """Return the instalments of a tenant's contracts, by the contract's id, the first first."""
    table = contract_instalments
    query = (
        select(
            table.c.contract_id,
            table.c.number,
            table.c.of,
            table.c.term_start,
            table.c.due_at,
            table.c.amount,
            table.c.invoice_id,
        )
        .where(table.c.tenant_id == tenant_id)
        .order_by(table.c.term_start, table.c.number)
    )
    by_contract: defaultdict[str, list[Instalment]] = defaultdict(list)
    for row in (await connection.execute(query)).mappings():
        by_contract[row["contract_id"]].append(Instalment.model_validate(dict(row)))
    return by_contract


def _check_coins(amounts: Sequence[Decimal], currency: str, field: str) -> None:
    if any(round_to_minor_unit(amount, currency) != amount for amount in amounts):
        raise TooManyDecimals.of_field(field, f"{currency} has {minor_digits(currency)} decimals")
