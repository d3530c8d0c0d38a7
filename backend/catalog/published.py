"""The catalog as it is published: models, and plans in immutable versions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import RowMapping, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.catalog.advice import advice_on
from backend.catalog.errors import CatalogNotApplied, PlanNotFound
from backend.catalog.meters import apply_meters, meters_on_sale
from backend.catalog.tax_rates import apply_taxes, tax_table
from backend.catalog.yaml_reading import load_catalog, parse_catalog
from backend.errors import ConfigurationError, InvalidInput
from backend.metering.tokens import check_setting
from backend.pricing.charges.kinds import first_price
from backend.pricing.charges.own_prices import with_own_prices
from backend.pricing.charges.rate_card import OTHER_MEDIA, RateCard
from backend.storage.tables import catalog_state, models, plan_versions
from backend_client.types.catalog import Catalog, CatalogApplied, CatalogModel
from backend_client.types.events import METERS
from backend_client.types.models import MeterPrice, ModelCharge, ModelInfo
from backend_client.types.plan_terms import OwnPrice
from backend_client.types.plans import Plan, PlanDefinition
from backend_client.types.problems import FieldError
from backend_client.types.texts import AS_STORED

__all__ = [
    "apply_catalog",
    "default_plan",
    "latest_plan",
    "list_models",
    "list_plans",
    "load_catalog",
    "own_version",
    "parse_catalog",
    "plan_from",
    "plan_names",
    "published_catalog",
]

_MOST_CACHED: Final = 1000
_cache: dict[tuple[str, int, datetime], Plan] = {}
_LOCK: Final = 0x6361_7461_6C6F_67  # "catalog" in ASCII


async def apply_catalog(connection: AsyncConnection, catalog: Catalog) -> CatalogApplied:
    """Publish what ``catalog`` changes, in the caller's transaction; doing it again does nothing.

    A plan that differs from its latest version becomes a new version; no subscription moves. Plans
    and models that the catalog leaves out are no longer on sale; usage is still rated by the
    versions it had. Raises ``InvalidInput`` for a model that can't be counted, and for a rate of
    tax or a meter that differs from what invoices carry or events were counted by.
    """
    _check_tokenizers(catalog)
    # Two replicas that apply at once must not both publish the same new version.
    await connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    meters = await apply_meters(connection, catalog.meters)
    published, unchanged = [], []
    for plan in catalog.plans:
        latest = await _latest(connection, plan.id)
        if latest is not None and latest.definition == plan:
            unchanged.append(plan.id)
            continue
        published.append(plan.id)
        await _add_version(connection, plan)
    wanted = {plan.id for plan in catalog.plans}
    withdrawn = [name for name in await _plans_on_sale(connection) if name not in wanted]
    changed = await _apply_models(connection, catalog.models)
    taxes = await apply_taxes(connection, catalog.taxes, datetime.now(UTC).date())
    state = {
        "default_plan": catalog.default_plan,
        "plans": [plan.id for plan in catalog.plans],
    }
    await connection.execute(
        insert(catalog_state)
        .values(only_row=True, **state)
        .on_conflict_do_update(index_elements=[catalog_state.c.only_row], set_=state)
    )
    return CatalogApplied(
        plans_published=published,
        plans_unchanged=unchanged,
        models_changed=changed,
        taxes_changed=taxes,
        meters_changed=meters,
        plans_withdrawn=withdrawn,
        advice=await advice_on(connection, catalog),
    )


async def own_version(
    connection: AsyncConnection,
    plan: Plan,
    tenant_id: str,
    currency: str,
    prices: Sequence[OwnPrice],
) -> Plan:
    """Return the version of a plan that has a tenant's own prices; publish it if there is none.

    It is a version as any other: bills that were made by it can be made again, and what prices it
    had is known for good. It is never on sale. Raises ``InvalidInput`` for prices that the plan's
    charges can't have.
    """
    definition = with_own_prices(plan.definition, currency, prices)
    own_prices = [price.model_dump(mode="json", exclude_none=True) for price in prices]
    await connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    present = select(plan_versions).where(
        plan_versions.c.plan_id == plan.definition.id,
        plan_versions.c.agreed_with == tenant_id,
        plan_versions.c.base_version == plan.version,
        plan_versions.c.own_prices == own_prices,
    )
    row = (await connection.execute(present.limit(1))).mappings().first()
    if row is not None:
        return plan_from(row)
    return await _add_version(
        connection,
        definition,
        agreed_with=tenant_id,
        base_version=plan.version,
        own_prices=own_prices,
    )


async def _add_version(connection: AsyncConnection, plan: PlanDefinition, **own: object) -> Plan:
    """Publish a plan under its next number; the numbers of a tenant's own versions are of them."""
    latest = select(func.max(plan_versions.c.version)).where(plan_versions.c.plan_id == plan.id)
    version = (await connection.scalar(latest) or 0) + 1
    added = await connection.execute(
        insert(plan_versions)
        .values(plan_id=plan.id, version=version, definition=plan.model_dump(mode="json"), **own)
        .returning(plan_versions)
    )
    return plan_from(added.mappings().one())


async def published_catalog(connection: AsyncConnection) -> Catalog:
    """Return the catalog that is on sale: applying it changes nothing.

    Raises ``NotFound`` if none was ever applied.
    """
    default = await connection.scalar(select(catalog_state.c.default_plan))
    if default is None:
        raise CatalogNotApplied()
    # Not checked again: it may have been published under less strict rules
    return Catalog.model_construct(
        version=1,
        default_plan=default,
        models=await models_on_sale(connection),
        plans=[plan.definition for plan in await list_plans(connection)],
        taxes=await tax_table(connection),
        meters=await meters_on_sale(connection),
    )


async def models_on_sale(connection: AsyncConnection) -> list[CatalogModel]:
    """Return the models on sale, in the catalog's order."""
    query = select(models.c.definition).where(~models.c.retired).order_by(models.c.position)
    return [
        CatalogModel.model_validate(definition, context=AS_STORED)
        for definition in await connection.scalars(query)
    ]


def _check_tokenizers(catalog: Catalog) -> None:
    for index, model in enumerate(catalog.models):
        try:
            check_setting(model.tokenizer)
        except ConfigurationError as error:
            field = FieldError(field=f"models.{index}.tokenizer", detail=error.detail)
            raise InvalidInput(f"The model {model.id}: {error.detail}", errors=[field]) from error


async def _apply_models(connection: AsyncConnection, wanted: list[CatalogModel]) -> list[str]:
    rows = (await connection.execute(select(models))).mappings()
    rows_by_id = {row["id"]: row for row in rows}
    changed = []
    for position, model in enumerate(wanted):
        values = {
            "definition": model.model_dump(mode="json"),
            "position": position,
            "retired": False,
        }
        row = rows_by_id.get(model.id)
        if row is not None and all(row[name] == value for name, value in values.items()):
            continue
        changed.append(model.id)
        await connection.execute(
            insert(models)
            .values(id=model.id, **values)
            .on_conflict_do_update(index_elements=[models.c.id], set_=values)
        )
    left_out = [name for name, row in rows_by_id.items() if not row["retired"]]
    for name in sorted(set(left_out) - {model.id for model in wanted}):
        changed.append(name)
        await connection.execute(update(models).where(models.c.id == name).values(retired=True))
    return changed


async def list_plans(connection: AsyncConnection) -> list[Plan]:
    """Return the latest version of every plan on sale, in the catalog's order."""
    on_sale = await _plans_on_sale(connection)
    query = (
        select(plan_versions)
        .ext(distinct_on(plan_versions.c.plan_id))
        .where(plan_versions.c.plan_id.in_(on_sale), plan_versions.c.agreed_with.is_(None))
        .order_by(plan_versions.c.plan_id, plan_versions.c.version.desc())
    )
    plans = [plan_from(row) for row in (await connection.execute(query)).mappings()]
    return sorted(plans, key=lambda plan: on_sale.index(plan.definition.id))


async def default_plan(connection: AsyncConnection) -> Plan:
    """Return the plan that new tenants get.

    Raises ``ConfigurationError`` if no catalog was ever applied.
    """
    name = await connection.scalar(select(catalog_state.c.default_plan))
    plan = await _latest(connection, name) if name is not None else None
    if plan is None:
        raise ConfigurationError("There are no plans yet. Run 'farebox catalog apply' first.")
    return plan


async def latest_plan(connection: AsyncConnection, plan_id: str) -> Plan:
    """Return a plan's latest version. Raises ``NotFound`` unless the plan is on sale."""
    plan = await _latest(connection, plan_id)
    if plan is None or plan_id not in await _plans_on_sale(connection):
        raise PlanNotFound(f"There is no plan {plan_id!r} on sale.")
    return plan


async def _plans_on_sale(connection: AsyncConnection) -> list[str]:
    return list(await connection.scalar(select(catalog_state.c.plans)) or [])


async def _latest(connection: AsyncConnection, plan_id: str) -> Plan | None:
    query = (
        select(plan_versions)
        .where(plan_versions.c.plan_id == plan_id, plan_versions.c.agreed_with.is_(None))
        .order_by(plan_versions.c.version.desc())
        .limit(1)
    )
    row = (await connection.execute(query)).mappings().first()
    return None if row is None else plan_from(row)


async def plan_names(
    connection: AsyncConnection, versions: Iterable[tuple[str | None, int | None]]
) -> dict[tuple[str | None, int | None], str]:
    """Return what plans are called, by id and version; what is no plan's is left out."""
    wanted = {(plan, version) for plan, version in versions if plan and version is not None}
    if not wanted:
        return {}
    query = select(
        plan_versions.c.plan_id,
        plan_versions.c.version,
        plan_versions.c.definition["name"].astext,
    ).where(tuple_(plan_versions.c.plan_id, plan_versions.c.version).in_(wanted))
    rows = await connection.execute(query)
    return {(plan, version): name for plan, version, name in rows}


def plan_from(row: RowMapping) -> Plan:
    """Return a row with the columns of ``plan_versions`` as a plan.

    A published version never changes, so it is parsed once: many charges take a while.
    """
    key = (row["plan_id"], row["version"], row["published_at"])
    plan = _cache.get(key)
    if plan is None:
        plan = Plan(
            definition=PlanDefinition.model_validate(row["definition"], context=AS_STORED),
            version=row["version"],
            published_at=row["published_at"],
            own_prices=row["own_prices"] or [],
            base_version=row["base_version"],
        )
        if len(_cache) >= _MOST_CACHED:
            _cache.clear()
        _cache[key] = plan
    return plan


async def list_models(
    connection: AsyncConnection, *, available: Collection[str], plan: PlanDefinition | None
) -> list[ModelInfo]:
    """Return the models on sale, with what each costs on ``plan``.

    ``available`` are the ids of those that a provider serves now.
    """
    card = RateCard(plan) if plan is not None else None
    rows = await connection.execute(select(models.c.id, models.c.added_at))
    added_at = {row.id: row.added_at for row in rows}
    infos = []
    for model in await models_on_sale(connection):
        prices = [] if plan is None or card is None else _prices(plan, card, model.id)
        infos.append(
            ModelInfo(
                **model.model_dump(),
                added_at=added_at.get(model.id),
                available=model.id in available,
                allowed=plan is None or plan.allows(model.id),
                prices=prices,
                charges=[] if plan is None or card is None else _charges(plan, card, model.id),
                currency=None if plan is None else plan.currency,
            )
        )
    return infos


def _charges(plan: PlanDefinition, card: RateCard, model: str) -> list[ModelCharge]:
    windows = {window.id: window for window in plan.windows}
    return [
        ModelCharge(
            meter=meter,
            charge=charge,
            window=None if charge.window is None else windows.get(charge.window),
        )
        for meter in _meters(plan)
        for charge in card.charges_for(model, meter)
    ]


_RARE: Final = frozenset(
    {"cache_write_tokens", "cache_write_1h_tokens", *OTHER_MEDIA, "searches", "characters"}
)
"""Meters that are shown only where a plan prices them: most models never use them."""


def _meters(plan: PlanDefinition) -> list[str]:
    """Farebox's own meters in their order, then those that only the plan names."""
    own = {meter for charge in plan.charges for meter in getattr(charge, "meters", ())}
    usual = [meter for meter in METERS if meter not in _RARE or meter in own]
    return [*usual, *sorted(own.difference(METERS))]


def _prices(plan: PlanDefinition, card: RateCard, model: str) -> list[MeterPrice]:
    prices: list[MeterPrice] = []
    for meter in _meters(plan):
        charge = card.charge_for(model, meter)
        if charge is not None:
            price, units = first_price(charge)
            prices.append(
                MeterPrice(meter=meter, price=price, unit_size=units, currency=plan.currency)
            )
    return prices
