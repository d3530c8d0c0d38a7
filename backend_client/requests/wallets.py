"""Requests about prepaid credit."""

from __future__ import annotations

from datetime import datetime

from backend_client.requests.call import Call, create, get, reader, segment, send
from backend_client.types.common import Page
from backend_client.types.wallets import (
    CreditGrant,
    CreditGrantCreate,
    LedgerEntry,
    TopUp,
    TopUpCreate,
    TopUpOutcome,
    WalletBalance,
    WalletSettings,
)


def wallet(at: datetime | None) -> Call[WalletBalance]:
    params: dict[str, str | int | list[str]] = {} if at is None else {"at": at.isoformat()}
    return Call("GET", "/v1/wallet", reader(WalletBalance), params)


def set_wallet(wanted: WalletSettings) -> Call[WalletBalance]:
    return send("PUT", "/v1/wallet", wanted, WalletBalance, repeatable=True)


def ledger() -> Call[Page[LedgerEntry]]:
    return get("/v1/wallet/ledger", Page[LedgerEntry])


def grants() -> Call[Page[CreditGrant]]:
    return get("/v1/wallet/grants", Page[CreditGrant])


def top_ups() -> Call[Page[TopUp]]:
    return get("/v1/wallet/top-ups", Page[TopUp])


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
