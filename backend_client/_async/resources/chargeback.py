"""Which department bears what of the invoices."""

from __future__ import annotations

from backend_client._async.pager import AsyncPager
from backend_client._async.resources.resource import AsyncResource
from backend_client._async.sender import AsyncSender
from backend_client.calls import delete, get, get_bytes, get_text, path, post, send, whole_list
from backend_client.queries import query
from backend_client.types.chargeback import (
    MonthSummary,
    PolicyPut,
    PolicyVersion,
    Statement,
    StatementLine,
    StatementPreview,
)
from backend_client.types.common import Page
from backend_client.types.journals import JournalFormat

_PATH = ("chargeback", "months")


class AsyncChargebackPoliciesResource(AsyncResource):
    """Departments and rules, by the day from which they hold, such as ``2026-03-01``."""

    def list(self) -> AsyncPager[PolicyVersion]:
        """List the policies, the latest first."""
        at = path("chargeback", "policies")
        return AsyncPager(self._sender, whole_list(at, PolicyVersion))

    async def get(self, valid_from: str) -> PolicyVersion:
        """Get the policy that begins on a day."""
        at = path("chargeback", "policies", valid_from)
        return await self._sender.send(get(at, PolicyVersion))

    async def put(self, valid_from: str, policy: PolicyPut) -> PolicyVersion:
        """Keep a policy from a day on; a change names the revision that was read."""
        at = path("chargeback", "policies", valid_from)
        call = send("PUT", at, policy, PolicyVersion, repeatable=True)
        return await self._sender.send(call)

    async def delete(self, valid_from: str) -> None:
        """Remove a policy that no closed month depends on."""
        at = path("chargeback", "policies", valid_from)
        await self._sender.send(delete(at, repeatable=False))


class AsyncChargebackResource(AsyncResource):
    """Monthly statements of departments. A month is known by its first day: ``2026-03-01``."""

    def __init__(self, sender: AsyncSender) -> None:
        super().__init__(sender)
        self.policies = AsyncChargebackPoliciesResource(sender)

    def months(self) -> AsyncPager[MonthSummary]:
        """List the months, the latest first: running, open or closed."""
        return AsyncPager(self._sender, whole_list(path(*_PATH), MonthSummary))

    async def statement(self, month: str) -> Statement:
        """Get a month's statement: as it was closed, or as it is now."""
        return await self._sender.send(get(path(*_PATH, month), Statement))

    def lines(
        self,
        month: str,
        *,
        unit: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> AsyncPager[StatementLine]:
        """List the parts of lines that ``unit`` and all below it bear; empty for nobody's."""
        params = query(unit=unit, limit=limit, cursor=cursor)
        call = get(path(*_PATH, month, "lines"), Page[StatementLine], params)
        return AsyncPager(self._sender, call)

    async def preview(self, preview: StatementPreview) -> Statement:
        """Get the statement that a month would have under a policy; nothing is kept."""
        at = path("chargeback", "preview")
        call = send("POST", at, preview, Statement, repeatable=True)
        return await self._sender.send(call)

    async def close(self, month: str) -> Statement:
        """Close a month; the same again answers the same."""
        at = path(*_PATH, month, "close")
        return await self._sender.send(post(at, Statement, repeatable=True))

    async def pdf(self, month: str) -> bytes:
        """Get a month's statement as PDF."""
        at = path(*_PATH, month, suffix=".pdf")
        return await self._sender.send(get_bytes(at))

    async def csv(self, month: str) -> str:
        """Get a month's statement as CSV, a row for each part of each line."""
        at = path(*_PATH, month, suffix=".csv")
        return await self._sender.send(get_text(at))

    async def journal(
        self,
        month: str,
        *,
        format: JournalFormat = JournalFormat.CSV,  # noqa: A002 - as the API calls it
    ) -> bytes:
        """Get a closed month's journal entry as a file for an accounting program."""
        at = path(*_PATH, month, "journal")
        return await self._sender.send(get_bytes(at, query(format=format)))

    async def focus(self, month: str) -> str:
        """Get a month as a FOCUS 1.2 dataset, as CSV."""
        at = path(*_PATH, month, "focus")
        return await self._sender.send(get_text(at))
