"""May this caller make this call? Key and scope are known by then; this is model and quota."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select

from backend.accounts.principal import Permission, Principal
from backend.accounts.tenants import find_tenant, list_applications
from backend.billing.invoices.reminding import PaymentOverdue, is_suspended
from backend.billing.quotas import QuotaExhausted, current_quotas, exhausted
from backend.errors import Forbidden, NotFound
from backend.gateway.errors import ModelNotFound
from backend.storage.database import Database
from backend.storage.tables import models
from backend_client.types.accounts import Tenant
from backend_client.types.plans import CatalogModel, QuotaLimit

_FRESH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Admitted:
    """A call that may be made, and what its usage is booked on."""

    caller: Principal
    tenant: Tenant
    application_id: str
    model: CatalogModel
    hard_quota: bool
    """Whether the plan has a quota that no call may pass."""


@dataclass(frozen=True, slots=True)
class _Standing:
    """How a tenant stood a moment ago."""

    tenant: Tenant
    first_application: str
    hard_quota: bool = False
    refusal: QuotaExhausted | PaymentOverdue | Forbidden | None = None


class Admission:
    """Decides, from what PostgreSQL said within the last second."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._catalog: tuple[dict[str, CatalogModel], float] = ({}, float("-inf"))
        self._tenants: dict[str, tuple[_Standing, float]] = {}

    async def models(self) -> dict[str, CatalogModel]:
        """Return the models on sale by id, in the catalog's order."""
        if self._catalog[1] < time.monotonic():
            async with self._database.begin() as connection:
                rows = await connection.execute(
                    select(models.c.definition)
                    .where(models.c.retired.is_(False))
                    .order_by(models.c.position)
                )
                known = [CatalogModel.model_validate(one) for one in rows.scalars()]
            self._catalog = (
                {model.id: model for model in known},
                time.monotonic() + _FRESH_SECONDS,
            )
        return self._catalog[0]

    async def admit(self, caller: Principal, model_id: str) -> Admitted:
        """Return the call that may be made.

        Raises ``Forbidden`` without the permission or a plan, ``ModelNotFound``,
        ``PaymentOverdue`` when an invoice is long overdue, and ``QuotaExhausted`` when a hard quota
        of the billing period is used up. What is left of one for this call is held later, by
        ``Holds``.
        """
        caller.require(Permission.INFERENCE)
        model = (await self.models()).get(model_id)
        if model is None or (caller.models is not None and model_id not in caller.models):
            raise ModelNotFound(f"The model {model_id!r} does not exist or is not yours to use.")
        if not caller.tenant_id:
            raise Forbidden("An operator's key acts for no tenant and can call no model.")
        standing = await self._standing(caller.tenant_id)
        if standing.refusal is not None:
            raise standing.refusal
        application = caller.application_id or standing.first_application
        return Admitted(caller, standing.tenant, application, model, standing.hard_quota)

    async def _standing(self, tenant_id: str) -> _Standing:
        known = self._tenants.get(tenant_id)
        if known is not None and known[1] >= time.monotonic():
            return known[0]
        found = await self._look_up(tenant_id)
        if len(self._tenants) > 10_000:
            self._tenants.clear()
        self._tenants[tenant_id] = (found, time.monotonic() + _FRESH_SECONDS)
        return found

    async def _look_up(self, tenant_id: str) -> _Standing:
        async with self._database.begin() as connection:
            tenant = await find_tenant(connection, tenant_id)
            page = await list_applications(connection, tenant_id, cursor=None, limit=1)
            application = page.items[0].id
            if await is_suspended(connection, tenant_id):
                return _Standing(tenant, application, refusal=PaymentOverdue())
            try:
                quotas = await current_quotas(connection, tenant, datetime.now(UTC))
            except NotFound as error:
                return _Standing(tenant, application, refusal=Forbidden(error.detail))
        hard = [use for use in quotas if use.quota.limit is QuotaLimit.HARD]
        for use in hard:
            if use.remaining <= 0:
                return _Standing(tenant, application, True, exhausted(use))
        return _Standing(tenant, application, bool(hard))
