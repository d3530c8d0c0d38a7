"""May this caller make this call? Key and scope are known; this is model, plan and quota."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from backend.accounts.errors import OperatorHasNoTenant
from backend.accounts.principal import Permission, Principal
from backend.accounts.tenants import find_tenant
from backend.budgets.bounds import bounds_of
from backend.budgets.owners import BudgetOwner, OwnBudget
from backend.catalog.published import models_on_sale
from backend.customers.errors import PaymentOverdue
from backend.customers.suspension import is_suspended
from backend.errors import Forbidden, NotFound
from backend.gateway.errors import ModelNotFound, ModelNotInPlan, NoUsablePlan, TenantOnTestClock
from backend.gateway.limits.checks import ALL_KEYS, KeptLimits, kept_limits
from backend.kit.remembered import Remembered
from backend.pricing.credit.call_cost import CallValues
from backend.quotas.errors import QuotaExhausted
from backend.quotas.trial_amount import trial_use
from backend.quotas.use import exhausted, quotas_of, usable_subscription
from backend.storage.database import Database
from backend_client.types.accounts import Application, Tenant
from backend_client.types.catalog import CatalogModel
from backend_client.types.plan_terms import QuotaLimit
from backend_client.types.plans import PlanDefinition

_FRESH_SECONDS = 1.0
_MOST_TENANTS = 10_000


@dataclass(frozen=True, slots=True)
class Admitted:
    """A call that may be made, and what its usage is booked on."""

    caller: Principal
    tenant: Tenant
    application_id: str
    model: CatalogModel
    kept_limits: Sequence[KeptLimits]
    """Those of its key, its application, and all the tenant's calls together."""
    hard_quota: bool
    """Whether the plan has a quota that no call may pass."""
    budgets: Sequence[OwnBudget] = ()
    """Those of its key and its application, and of labels that it may have."""


@dataclass(frozen=True, slots=True)
class _Standing:
    """How a tenant stood a moment ago."""

    tenant: Tenant
    first_application: str
    applications: Mapping[str, Application] = field(default_factory=dict)
    """Those that have limits or a budget."""
    label_budgets: Sequence[OwnBudget] = ()
    plan: PlanDefinition | None = None
    hard_quota: bool = False
    refusal: QuotaExhausted | PaymentOverdue | Forbidden | None = None
    values: CallValues | None = None
    """What calls are worth on the plan."""


class Admission:
    """Decides, from what PostgreSQL said within the last second."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._models: Remembered[None, dict[str, CatalogModel]] = Remembered(
            seconds=_FRESH_SECONDS, most=1
        )
        self._standings: Remembered[str, _Standing] = Remembered(
            seconds=_FRESH_SECONDS, most=_MOST_TENANTS
        )

    async def models(self) -> dict[str, CatalogModel]:
        """Return the models on sale by id, in the catalog's order."""
        return await self._models.get(None, self._read_models)

    async def allowed_models(self, caller: Principal) -> list[str]:
        """Return the models on sale that the caller's key and its tenant's plan allow."""
        plan = None
        if caller.tenant_id:
            plan = (await self._standing(caller.tenant_id)).plan
        return [
            model
            for model in await self.models()
            if (caller.models is None or model in caller.models)
            and (plan is None or plan.allows(model))
        ]

    async def plan_of(self, caller: Principal) -> PlanDefinition | None:
        """Return the plan that the caller's calls are on now; None without one."""
        return (await self._standing(caller.tenant_id)).plan if caller.tenant_id else None

    async def values_of(self, caller: Principal) -> CallValues | None:
        """Return what the caller's calls are worth on its plan; None without one."""
        return (await self._standing(caller.tenant_id)).values if caller.tenant_id else None

    async def admit(self, caller: Principal, model_id: str) -> Admitted:
        """Return the call that may be made.

        Raises ``Forbidden`` without the permission or a plan, ``ModelNotFound`` and
        ``ModelNotInPlan``, ``PaymentOverdue`` when an invoice is long overdue, and
        ``QuotaExhausted`` when a hard quota of the billing period is used up. What is left of one
        for this call is held later, by ``Holds``, and so are limits.
        """
        caller.require(Permission.INFERENCE)
        model = (await self.models()).get(model_id)
        if model is None or (caller.models is not None and model_id not in caller.models):
            raise ModelNotFound(f"The model {model_id!r} does not exist or is not yours to use.")
        if not caller.tenant_id:
            raise OperatorHasNoTenant("An operator's key acts for no tenant and can call no model.")
        standing = await self._standing(caller.tenant_id)
        plan = standing.plan
        if plan is not None and not plan.allows(model_id):
            raise ModelNotInPlan(
                f"The plan {plan.name!r} does not include the model {model_id!r}; another may."
            )
        if standing.refusal is not None:
            raise standing.refusal
        application_id = caller.application_id or standing.first_application
        application = standing.applications.get(application_id)
        return Admitted(
            caller,
            standing.tenant,
            application_id,
            model,
            limits_of(caller, application, plan, model_id),
            standing.hard_quota,
            [*_own_budgets(caller, application), *standing.label_budgets],
        )

    async def _standing(self, tenant_id: str) -> _Standing:
        return await self._standings.get(tenant_id, partial(self._read_standing, tenant_id))

    async def _read_models(self) -> dict[str, CatalogModel]:
        async with self._database.begin() as connection:
            return {model.id: model for model in await models_on_sale(connection)}

    async def _read_standing(self, tenant_id: str) -> _Standing:
        async with self._database.begin() as connection:
            tenant = await find_tenant(connection, tenant_id)
            bounds = await bounds_of(connection, tenant_id)
            application = bounds.applications[0].id
            if tenant.clock_at is not None:
                return _Standing(tenant, application, refusal=TenantOnTestClock())
            if await is_suspended(connection, tenant_id):
                return _Standing(tenant, application, refusal=PaymentOverdue())
            now = datetime.now(UTC)
            try:
                subscription = await usable_subscription(connection, tenant, now)
            except NotFound as error:
                return _Standing(tenant, application, refusal=NoUsablePlan(error.detail))
            plan = subscription.plan.definition
            quotas = await quotas_of(connection, tenant, subscription, now)
            of_trial = await trial_use(connection, tenant, subscription, now)
        if of_trial is not None and (spent := of_trial.refusal()) is not None:
            return _Standing(tenant, application, plan=plan, refusal=spent)
        hard = [use for use in quotas if use.quota.limit is QuotaLimit.HARD]
        for use in hard:
            if use.remaining <= 0:
                return _Standing(
                    tenant, application, plan=plan, hard_quota=True, refusal=exhausted(use)
                )
        return _Standing(
            tenant,
            application,
            {each.id: each for each in bounds.applications},
            bounds.label_budgets,
            plan,
            bool(hard),
            values=CallValues(plan),
        )


def _own_budgets(caller: Principal, application: Application | None) -> Iterable[OwnBudget]:
    if caller.budget is not None:
        yield OwnBudget(BudgetOwner("key", caller.id), caller.budget)
    if application is not None and application.budget is not None:
        yield OwnBudget(BudgetOwner("application", application.id), application.budget)


def limits_of(
    caller: Principal, application: Application | None, plan: PlanDefinition | None, model: str
) -> list[KeptLimits]:
    """Return the limits that hold a call of a model: the tightest of them refuses it."""
    limits = [*kept_limits(caller.id, "key", caller.limits, caller.model_limits, model)]
    if application is not None:
        own, of_models = application.limits, application.model_limits
        limits += kept_limits(application.id, "application", own, of_models, model)
    if plan is not None:
        limits += kept_limits(ALL_KEYS, "plan", plan.limits, plan.model_limits, model)
    return limits
