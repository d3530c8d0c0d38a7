"""Requests about the catalog, plans, subscriptions and spend."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from backend_client.requests.call import Answer, Call, Params, get, of_tenant, reader, send
from backend_client.types.common import Page
from backend_client.types.entitlements import Entitlements
from backend_client.types.models import ModelInfo
from backend_client.types.plans import Catalog, CatalogApplied, Plan
from backend_client.types.spend import BudgetOutlook, Forecast, SpendReport
from backend_client.types.subscriptions import Subscription, SubscriptionChange
from backend_client.types.taxes import CatalogTax


def models() -> Call[Page[ModelInfo]]:
    return get("/v1/catalog/models", Page[ModelInfo])


def plans() -> Call[Page[Plan]]:
    return get("/v1/plans", Page[Plan])


def tax_rates() -> Call[list[CatalogTax]]:
    return get("/v1/catalog/taxes", list[CatalogTax])


def catalog() -> Call[Catalog]:
    return get("/v1/catalog", Catalog)


def apply_catalog(catalog: Catalog) -> Call[CatalogApplied]:
    return send("PUT", "/v1/catalog", catalog, CatalogApplied, repeatable=True)


def entitlements(tenant: str | None = None) -> Call[Entitlements]:
    return get(of_tenant(tenant, "entitlements"), Entitlements)


def subscription() -> Call[Subscription]:
    return get("/v1/subscription", Subscription)


def change_plan(change: SubscriptionChange) -> Call[Subscription]:
    return send("PUT", "/v1/subscription", change, Subscription, repeatable=True)


def spend() -> Call[SpendReport]:
    return get("/v1/spend", SpendReport)


def forecast() -> Call[Forecast | None]:
    return _once_computed("/v1/forecast", Forecast)


def budget_outlook(amount: Decimal) -> Call[BudgetOutlook | None]:
    return _once_computed("/v1/forecast/budget", BudgetOutlook, {"amount": str(amount)})


def _once_computed(path: str, kind: type[Answer], params: Params | None = None) -> Call[Any]:
    """A question that is answered with nothing while the answer is being computed."""
    read = reader(kind)
    return Call(
        "GET",
        path,
        lambda response: None if response.status_code == 202 else read(response),
        params or {},
    )
