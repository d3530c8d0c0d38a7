"""Requests about the catalog, plans, subscriptions and spend."""

from __future__ import annotations

from backend_client.requests.call import Call, get, reader, send
from backend_client.types.common import Page
from backend_client.types.models import ModelInfo
from backend_client.types.plans import (
    Catalog,
    CatalogApplied,
    Plan,
    Subscription,
    SubscriptionChange,
)
from backend_client.types.spend import Forecast, SpendReport


def models() -> Call[Page[ModelInfo]]:
    return get("/v1/catalog/models", Page[ModelInfo])


def plans() -> Call[Page[Plan]]:
    return get("/v1/plans", Page[Plan])


def apply_catalog(catalog: Catalog) -> Call[CatalogApplied]:
    return send("PUT", "/v1/catalog", catalog, CatalogApplied, repeatable=True)


def subscription() -> Call[Subscription]:
    return get("/v1/subscription", Subscription)


def change_plan(change: SubscriptionChange) -> Call[Subscription]:
    return send("PUT", "/v1/subscription", change, Subscription, repeatable=True)


def spend() -> Call[SpendReport]:
    return get("/v1/spend", SpendReport)


def forecast() -> Call[Forecast | None]:
    read = reader(Forecast)
    return Call(
        "GET",
        "/v1/forecast",
        lambda response: None if response.status_code == 202 else read(response),
    )
