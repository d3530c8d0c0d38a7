"""Requests about prepaid credit."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from backend_client.requests.call import (
    Call,
    Params,
    create,
    get,
    of_tenant,
    reader,
    segment,
    send,
)
from backend_client.types.common import Page
from backend_client.types.wallets import (
    CreditGrant,
    CreditGrantCreate,
    LedgerEntry,
    TenantTopUp,
    TopUp,
    TopUpCreate,
    TopUpOutcome,
    WalletBalance,
    WalletSettings,
)


def wallet(at: datetime | None, tenant: str | None = None) -> Call[WalletBalance]:
    params: Params = {} if at is None else {"at": at.isoformat()}
    return Call("GET", of_tenant(tenant, "wallet"), reader(WalletBalance), params)


def set_wallet(wanted: WalletSettings) -> Call[WalletBalance]:
    return send("PUT", "/v1/wallet", wanted, WalletBalance, repeatable=True)


def ledger(tenant: str | None = None, limit: int | None = None) -> Call[Page[LedgerEntry]]:
    return _list("ledger", LedgerEntry, tenant, limit)


def grants(tenant: str | None = None) -> Call[Page[CreditGrant]]:
    return _list("grants", CreditGrant, tenant)


def top_ups(tenant: str | None = None, limit: int | None = None) -> Call[Page[TopUp]]:
    return _list("top-ups", TopUp, tenant, limit)


def waiting_top_ups() -> Call[Page[TenantTopUp]]:
    return get("/v1/top-ups", Page[TenantTopUp])


def ask_for_top_up(wanted: TopUpCreate) -> Call[TopUp]:
    return create("/v1/wallet/top-ups", wanted, TopUp)


def give_credit(tenant_id: str, wanted: CreditGrantCreate) -> Call[CreditGrant]:
    return create(f"/v1/tenants/{segment(tenant_id)}/wallet/grants", wanted, CreditGrant)


def refund_credit(tenant_id: str, grant_id: str) -> Call[CreditGrant]:
    path = f"/v1/tenants/{segment(tenant_id)}/wallet/grants/{segment(grant_id)}/refund"
    return Call("POST", path, reader(CreditGrant))


def finish_top_up(tenant_id: str, top_up_id: str, outcome: TopUpOutcome) -> Call[TopUp]:
    path = f"/v1/tenants/{segment(tenant_id)}/wallet/top-ups/{segment(top_up_id)}"
    return send("PUT", path, outcome, TopUp, repeatable=True)


def _list(what: str, kind: Any, tenant: str | None, limit: int | None = None) -> Call[Any]:
    params: Params = {} if limit is None else {"limit": limit}
    return Call("GET", of_tenant(tenant, f"wallet/{what}"), reader(Page[kind]), params)
