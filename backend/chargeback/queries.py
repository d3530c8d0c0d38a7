"""Months and their statements, as the API shows them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounting.rules.journals import Journal
from backend.chargeback.errors import ChargebackMonthNotFound, ChargebackNotBooked
from backend.chargeback.exports.focus import FocusMonth
from backend.chargeback.gathering import divide
from backend.chargeback.months import Month, months_of
from backend.chargeback.policies import check_policy, timeline_of, timeline_with
from backend.chargeback.rules.documents import Entry
from backend.chargeback.rules.journal import journal
from backend.chargeback.rules.statements import Names, statement, statement_lines
from backend.chargeback.rules.timeline import Reign, Timeline
from backend.kit.pages import Cursor, page_of
from backend.pricing.periods import INSTANT
from backend.settings import Settings
from backend_client.types.accounts import Tenant
from backend_client.types.chargeback import (
    ChargebackMode,
    JournalTerms,
    MonthState,
    MonthSummary,
    PolicyVersion,
    Statement,
    StatementLine,
    StatementPreview,
)
from backend_client.types.common import Page


@dataclass(frozen=True, slots=True)
class MonthBook:
    """A month with its entries, from which statements, journals and exports are made."""

    tenant: Tenant
    month: Month
    timeline: Timeline
    entries: list[Entry]

    @property
    def last(self) -> Reign:
        """The policy that holds at the month's end."""
        return self.timeline.at(self.month.period.end - INSTANT)

    @property
    def names(self) -> Names:
        """What units are called in the month, and in those that its adjustments are for."""
        first = min([self.month.period.start, *(entry.key.start for entry in self.entries)])
        return Names.of(self.timeline.over(first, self.month.period.end))

    def statement(self) -> Statement:
        """Return the statement of all departments."""
        summary = self.month.summary(self.timeline)
        return statement(summary, self.entries, self.last, self.names, self.tenant.currency)

    def focus_month(self, seller: str) -> FocusMonth:
        """Return what the rows of the month's FOCUS dataset have in common."""
        tenant = self.tenant
        period, currency = self.month.period, tenant.currency
        return FocusMonth(period, currency, tenant.id, tenant.name, seller, self.names)

    def journal(self) -> tuple[Journal, JournalTerms]:
        """Return the month's journal entry, and how it is to be written.

        Raises ``Conflict`` unless it was closed in the mode ``chargeback``.
        """
        mode = self.month.summary(self.timeline).mode
        policy = self.last.policy
        if self.month.state is not MonthState.CLOSED or mode is not ChargebackMode.CHARGEBACK:
            raise ChargebackNotBooked(
                "Close the month first, under a policy in the mode 'chargeback'."
            )
        terms = JournalTerms() if policy is None else policy.journal
        month = self.month
        currency = self.tenant.currency
        entry = journal(self.entries, terms, month.first_day, month.last_day, currency)
        return entry, terms


async def list_months(
    connection: AsyncConnection, tenant: Tenant, now: datetime
) -> list[MonthSummary]:
    """Return a tenant's months, the latest first."""
    timeline = await timeline_of(connection, tenant)
    months = await months_of(connection, tenant, now)
    return [month.summary(timeline) for month in reversed(months.all)]


async def month_book(
    connection: AsyncConnection,
    settings: Settings,
    tenant: Tenant,
    first_day: date,
    now: datetime,
) -> MonthBook:
    """Return a month with its entries; raise ``NotFound``."""
    timeline = await timeline_of(connection, tenant)
    months = await months_of(connection, tenant, now)
    month = months.find(first_day)
    divided = await divide(connection, settings, tenant, months, month, timeline, now)
    return MonthBook(tenant, month, timeline, list(divided.entries))


async def preview(
    connection: AsyncConnection,
    settings: Settings,
    tenant: Tenant,
    wanted: StatementPreview,
    now: datetime,
) -> Statement:
    """Return what a month's statement would be if a policy had held all through it.

    Raises ``InvalidInput`` for a policy that can't be followed, ``NotFound`` if there is no such
    month. A closed month is divided as if it were open.
    """
    await check_policy(connection, tenant, wanted.policy)
    months = await months_of(connection, tenant, now)
    month = months.last_over if wanted.month is None else months.find(wanted.month)
    if month is None:
        raise ChargebackMonthNotFound("There is no month yet: the first begins with a plan.")
    begins = months.all[0].first_day
    draft = PolicyVersion(
        valid_from=begins, revision=0, policy=wanted.policy, changed_at=now, changed_by=""
    )
    timeline = timeline_with([draft], tenant)
    open_months = months.reopened()
    reopened = open_months.find(month.first_day)
    divided = await divide(connection, settings, tenant, open_months, reopened, timeline, now)
    return MonthBook(tenant, reopened, timeline, list(divided.entries)).statement()


def list_lines(
    book: MonthBook, unit: str | None, *, cursor: str | None, limit: int
) -> Page[StatementLine]:
    """Return a page of the parts of a month's lines, of a unit and all below it."""
    first = 0 if cursor is None else Cursor.read_number(cursor)
    zone = book.month.period.time_zone
    lines = statement_lines(book.entries, unit, zone, book.tenant.currency)
    kept = lines[first : first + limit + 1]
    return page_of(kept, limit, lambda _: str(first + limit))
