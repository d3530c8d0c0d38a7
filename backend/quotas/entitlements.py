"""What a tenant is entitled to now, from the same facts that the gateway uses."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from backend.catalog.published import models_on_sale
from backend.customers.suspension import is_suspended
from backend.quotas.trial_amount import trial_use
from backend.quotas.use import quotas_of
from backend.subscriptions.queries import current_subscription
from backend_client.types.accounts import Tenant
from backend_client.types.entitlements import Entitlements, QuotaStanding, TrialStanding
from backend_client.types.subscriptions import SubscriptionState


async def entitlements(connection: AsyncConnection, tenant: Tenant, now: datetime) -> Entitlements:
    """Return what the tenant may do; raise ``NotFound`` if it has no plan."""
    subscription = await current_subscription(connection, tenant.id, now)
    plan = subscription.plan.definition
    suspended = await is_suspended(connection, tenant.id)
    usable = not suspended and subscription.state is not SubscriptionState.PAUSED
    of_trial = await trial_use(connection, tenant, subscription, now)
    on_sale = [model.id for model in await models_on_sale(connection)]
    return Entitlements(
        as_of=now.astimezone(UTC),
        plan=plan.id,
        plan_version=subscription.plan.version,
        state=subscription.state,
        suspended=suspended,
        models=[name for name in on_sale if usable and plan.allows(name)],
        limits=plan.limits,
        model_limits=plan.model_limits,
        features=plan.features if usable else [],
        quotas=[
            QuotaStanding(
                meters=use.quota.meters,
                quantity=use.quota.quantity,
                limit=use.quota.limit,
                used=use.used,
                remaining=use.remaining,
                resets_at=use.resets_at,
                of_trial=use.of_trial,
            )
            for use in await quotas_of(connection, tenant, subscription, now)
        ],
        trial=None
        if of_trial is None
        else TrialStanding(
            amount=of_trial.amount,
            currency=of_trial.currency,
            used=of_trial.used,
            remaining=of_trial.remaining,
            ends_at=of_trial.ends_at,
        ),
    )
