"""API keys and the applications that they belong to."""

from __future__ import annotations

from backend_client._async.pager import AsyncPager
from backend_client._async.resources.resource import AsyncResource
from backend_client.calls import create, delete, edit, get, path, send
from backend_client.queries import query
from backend_client.types.accounts import (
    ApiKey,
    ApiKeyChange,
    ApiKeyCreate,
    ApiKeyCreated,
    ApiKeyRotate,
    Application,
    ApplicationChange,
    ApplicationCreate,
)
from backend_client.types.common import Page
from backend_client.types.leaked_keys import KeyLeak, LeakedKey
from backend_client.types.limits import (
    KeyBudgetUse,
    LabelBudget,
    LabelBudgetChange,
    LabelBudgetCreate,
    LimitUse,
)


class AsyncApplicationsResource(AsyncResource):
    """A tenant's applications: keys and usage belong to one."""

    def list(
        self, *, tenant: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> AsyncPager[Application]:
        """List the applications, oldest first; another ``tenant``'s, for the operator."""
        at = path("applications", tenant=tenant)
        call = get(at, Page[Application], query(limit=limit, cursor=cursor))
        return AsyncPager(self._sender, call)

    async def create(
        self, application: ApplicationCreate, *, tenant: str | None = None
    ) -> Application:
        """Create an application; another ``tenant``'s, for the operator."""
        at = path("applications", tenant=tenant)
        return await self._sender.send(create(at, application, Application))

    async def update(
        self, application_id: str, change: ApplicationChange, *, tenant: str | None = None
    ) -> Application:
        """Change an application's name, limits and budget, archive it or take it back.

        Another ``tenant``'s, for the operator.
        """
        at = path("applications", application_id, tenant=tenant)
        return await self._sender.send(edit(at, change, Application))

    def limits(self, application_id: str, *, tenant: str | None = None) -> AsyncPager[LimitUse]:
        """List an application's limits with what is left of each now."""
        at = path("applications", application_id, "limits", tenant=tenant)
        return AsyncPager(self._sender, get(at, Page[LimitUse]))

    async def budget(self, application_id: str, *, tenant: str | None = None) -> KeyBudgetUse:
        """Get what is used of an application's budget; ``NotFound`` if it has none."""
        at = path("applications", application_id, "budget", tenant=tenant)
        return await self._sender.send(get(at, KeyBudgetUse))


class AsyncLabelBudgetsResource(AsyncResource):
    """Budgets of values of declared labels: what all calls with such a label may cost.

    Those of another ``tenant``, for the operator.
    """

    def list(
        self, *, tenant: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> AsyncPager[LabelBudget]:
        """List the budgets of labels, oldest first."""
        at = path("label-budgets", tenant=tenant)
        call = get(at, Page[LabelBudget], query(limit=limit, cursor=cursor))
        return AsyncPager(self._sender, call)

    async def create(self, budget: LabelBudgetCreate, *, tenant: str | None = None) -> LabelBudget:
        """Bound what calls with a label's value cost."""
        at = path("label-budgets", tenant=tenant)
        return await self._sender.send(create(at, budget, LabelBudget))

    async def update(
        self, budget_id: str, change: LabelBudgetChange, *, tenant: str | None = None
    ) -> LabelBudget:
        """Change the budget of a label's value."""
        at = path("label-budgets", budget_id, tenant=tenant)
        return await self._sender.send(edit(at, change, LabelBudget))

    async def delete(self, budget_id: str, *, tenant: str | None = None) -> None:
        """Remove the budget of a label's value."""
        at = path("label-budgets", budget_id, tenant=tenant)
        await self._sender.send(delete(at, repeatable=True))

    async def use(self, budget_id: str, *, tenant: str | None = None) -> KeyBudgetUse:
        """Get what is used of the budget of a label's value."""
        at = path("label-budgets", budget_id, "use", tenant=tenant)
        return await self._sender.send(get(at, KeyBudgetUse))


class AsyncKeysResource(AsyncResource):
    """API keys. A key's secret is in the answer that creates or rotates it, and in no other.

    ``tenant`` is another's id or slug; for the operator.
    """

    def list(
        self,
        *,
        created_by: str | None = None,
        search: str | None = None,
        tenant: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> AsyncPager[ApiKey]:
        """List the keys, newest first, revoked ones too; or those that a person made.

        ``search`` is part of the name, the id, or the last four letters.
        """
        at = path("keys", tenant=tenant)
        params = query(created_by=created_by, search=search, limit=limit, cursor=cursor)
        call = get(at, Page[ApiKey], params)
        return AsyncPager(self._sender, call)

    async def get(self, key_id: str, *, tenant: str | None = None) -> ApiKey:
        """Get a key."""
        return await self._sender.send(get(path("keys", key_id, tenant=tenant), ApiKey))

    async def create(self, key: ApiKeyCreate, *, tenant: str | None = None) -> ApiKeyCreated:
        """Create a key."""
        # Not repeated: the secret is in the first answer alone, and a second could not show it.
        at = path("keys", tenant=tenant)
        call = send("POST", at, key, ApiKeyCreated, repeatable=False)
        return await self._sender.send(call)

    async def update(
        self, key_id: str, change: ApiKeyChange, *, tenant: str | None = None
    ) -> ApiKey:
        """Change what is given of a key: name, permissions, limits, budget, whether enabled."""
        return await self._sender.send(edit(path("keys", key_id, tenant=tenant), change, ApiKey))

    async def rotate(
        self, key_id: str, rotation: ApiKeyRotate, *, tenant: str | None = None
    ) -> ApiKeyCreated:
        """Give a key a new secret; the old one works through the grace period."""
        at = path("keys", key_id, "rotate", tenant=tenant)
        call = send("POST", at, rotation, ApiKeyCreated, repeatable=False)
        return await self._sender.send(call)

    async def end_grace(self, key_id: str, *, tenant: str | None = None) -> None:
        """End every earlier secret of a key; its present one goes on."""
        at = path("keys", key_id, "previous", tenant=tenant)
        await self._sender.send(delete(at, repeatable=True))

    async def report_leak(self, leak: KeyLeak) -> LeakedKey:
        """End a key whose secret was found; for the operator. ``NotFound`` if nobody has it."""
        at = path("leaked-keys")
        return await self._sender.send(send("POST", at, leak, LeakedKey, repeatable=True))

    async def budget(self, key_id: str, *, tenant: str | None = None) -> KeyBudgetUse:
        """Get what a key has used of its budget; ``NotFound`` if it has none."""
        at = path("keys", key_id, "budget", tenant=tenant)
        return await self._sender.send(get(at, KeyBudgetUse))

    async def revoke(self, key_id: str, *, tenant: str | None = None) -> None:
        """Revoke a key for good."""
        at = path("keys", key_id, tenant=tenant)
        await self._sender.send(delete(at, repeatable=True))
