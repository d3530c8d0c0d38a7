"""May this caller make this call? Key and scope are known by then; this is model and quota."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select

from backend.accounts.principal import Permission, Principal
from backend.accounts.tenants import find_tenant, list_applications
from backend.billing.quotas import current_quotas
from backend.errors import Forbidden, NotFound
from backend.gateway.errors import ModelNotFound, QuotaExhausted
from backend.storage.database import Database
from backend.storage.tables import models
from backend_client.types.plans import CatalogModel, QuotaLimit

_FRESH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Admitted:
    """A call that may be made, and what its usage is booked on."""

    caller: Principal
    application_id: str
    model: CatalogModel


class Admission:
    """Decides, from what PostgreSQL said within the last second."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._catalog: tuple[dict[str, CatalogModel], float] = ({}, float("-inf"))
        self._tenants: dict[str, tuple[str, QuotaExhausted | Forbidden | None, float]] = {}

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

        Raises ``Forbidden`` without the permission or a plan, ``ModelNotFound``, and
        ``QuotaExhausted`` when a hard quota of the billing period is used up.
        """
        caller.require(Permission.INFERENCE)
        model = (await self.models()).get(model_id)
        if model is None or (caller.models is not None and model_id not in caller.models):
            raise ModelNotFound(f"The model {model_id!r} does not exist or is not yours to use.")
        if not caller.tenant_id:
            raise Forbidden("An operator's key acts for no tenant and can call no model.")
        first_application, refusal = await self._standing(caller.tenant_id)
        if refusal is not None:
            raise refusal
        return Admitted(caller, caller.application_id or first_application, model)

    async def _standing(self, tenant_id: str) -> tuple[str, QuotaExhausted | Forbidden | None]:
        found = self._tenants.get(tenant_id)
        if found is None or found[2] < time.monotonic():
            application_id, refusal = await self._look_up(tenant_id)
            if len(self._tenants) > 10_000:
                self._tenants.clear()
            found = (application_id, refusal, time.monotonic() + _FRESH_SECONDS)
            self._tenants[tenant_id] = found
        return found[0], found[1]

    async def _look_up(self, tenant_id: str) -> tuple[str, QuotaExhausted | Forbidden | None]:
        async with self._database.begin() as connection:
            tenant = await find_tenant(connection, tenant_id)
            page = await list_applications(connection, tenant_id, cursor=None, limit=1)
            try:
                quotas = await current_quotas(connection, tenant, datetime.now(UTC))
            except NotFound:
                return page.items[0].id, Forbidden("This tenant has no plan now.")
        for use in quotas:
            if use.quota.limit is QuotaLimit.HARD and use.remaining <= 0:
                meters = " and ".join(use.quota.meters)
                return page.items[0].id, QuotaExhausted(
                    f"The plan's quota of {use.quota.quantity:,.0f} {meters} is used up. It starts "
                    f"anew at {use.resets_at:%Y-%m-%d %H:%M} UTC; a larger plan helps at once."
                )
        return page.items[0].id, None
