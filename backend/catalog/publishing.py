"""Publishing a catalog by somebody, who stands in the audit."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.audit.writing import NO_TENANT, record
from backend.accounts.principal import Principal
from backend.catalog.published import apply_catalog
from backend_client.types.catalog import Catalog, CatalogApplied


async def publish_catalog(
    connection: AsyncConnection, caller: Principal, catalog: Catalog
) -> CatalogApplied:
    """Publish what ``catalog`` changes as ``apply_catalog`` does, and record what that is."""
    applied = await apply_catalog(connection, catalog)
    plans = applied.plans_published or applied.plans_withdrawn
    others = applied.models_changed or applied.taxes_changed or applied.meters_changed
    if plans or others:
        detail = applied.model_dump(mode="json", exclude={"plans_unchanged", "advice"})
        await record(
            connection, caller, "catalog.publish", "catalog", tenant_id=NO_TENANT, detail=detail
        )
    return applied
