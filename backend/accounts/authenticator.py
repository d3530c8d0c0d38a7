"""From a bearer token to a ``Principal``."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy import RowMapping, and_, or_, select, union_all, update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.budgets import budget_of
from backend.accounts.errors import (
    AddressNotAllowed,
    InvalidCredential,
    KeyDisabled,
    OriginNotAllowed,
)
from backend.accounts.guesses import Guesses
from backend.accounts.keys.web_origins import is_of
from backend.accounts.members.operators import operates
from backend.accounts.principal import (
    OPERATOR_PERMISSIONS,
    OPERATOR_SCOPE_PERMISSIONS,
    ROLE_PERMISSIONS,
    SCOPE_PERMISSIONS,
    VIEWING_PERMISSIONS,
    Principal,
)
from backend.accounts.secrets import API_KEY, OPERATOR_KEY, SESSION, hash_secret, is_mistyped
from backend.kit.origin import origin
from backend.kit.remembered import Outages, Remembered
from backend.storage.database import Database
from backend.storage.outages import is_outage
from backend.storage.tables import (
    api_keys,
    members,
    operator_keys,
    retired_secrets,
    sessions,
    users,
)
from backend_client.types.accounts import Role, Scope
from backend_client.types.limits import ModelLimits, RateLimits
from backend_client.types.operator_keys import OperatorScope
from edge.trusted import is_trusted

KNOWN_SECONDS = 0.9
"""How long a valid credential is cached: a revocation takes effect within 1 s."""
UNKNOWN_SECONDS = 1.0
"""How long a credential that nobody has is not looked up again."""
_KNOWN_MOST = 10_000
_SHOWN = 100
OUTAGE_SECONDS = 600.0
"""How long it is cached while PostgreSQL is away and can't report a revocation."""
_LAST_USED_EVERY = timedelta(minutes=1)


class Authenticator:
    """Looks credentials up, and caches the valid ones for less than a second."""

    def __init__(
        self,
        database: Database,
        guesses: Guesses | None = None,
        *,
        web_origins: Iterable[str] = (),
    ) -> None:
        """Slow who guesses at credentials, if ``guesses`` are given.

        Pages of ``web_origins`` may use keys that have no origins of their own.
        """
        self._database = database
        self._web_origins = tuple(web_origins)
        self._guesses = guesses
        self._good: OrderedDict[bytes, None] = OrderedDict()
        """Credentials that were valid here: who has one is never slowed for others' guesses."""
        self._unknown: OrderedDict[bytes, float] = OrderedDict()
        """Credentials that nobody had, and until when that is taken for granted; oldest first.

        Apart from the answers: strangers' guesses would push out those who are known."""
        self._principals: Remembered[bytes, Principal] = Remembered(
            seconds=KNOWN_SECONDS,
            most=_KNOWN_MOST,
            outages=Outages(OUTAGE_SECONDS, is_outage),
        )

    async def authenticate(self, token: str, *, changes: bool = False) -> Principal:
        """Return who holds ``token``; raise ``Unauthenticated`` if nobody does.

        Where a person ``changes`` something, their role is read anew: one that they had a moment
        ago permits nothing, unless PostgreSQL is away and could change nothing either.
        Raises ``TooManyAttempts`` before the look-up of an unfamiliar one, if too many failed that
        came from the same network.
        """
        slot = hash_secret(token)
        network = self._guesses.network() if self._guesses else None
        if self._guesses and network and slot not in self._good:
            self._guesses.check("credential", network)
        try:
            if is_mistyped(token):
                raise InvalidCredential()
            self._refuse_unknown(slot)
            seconds = 0.0 if changes and token.startswith(SESSION) else None
            read = partial(self._read, token, slot)
            principal = await self._principals.get(slot, read, seconds=seconds)
        except InvalidCredential:
            if self._guesses and network:
                self._guesses.count("credential", network)
            raise
        self._good[slot] = None
        self._good.move_to_end(slot)
        if len(self._good) > _KNOWN_MOST:
            self._good.popitem(last=False)
        # A cached answer may be older than its own end
        if principal.valid_until is not None and principal.valid_until <= datetime.now(UTC):
            raise InvalidCredential()
        _check_address(principal)
        self._check_page(principal)
        return principal

    def forget(self, token: str) -> None:
        """Drop a credential that has just changed from the cache."""
        self._principals.forget(hash_secret(token))
        self._unknown.pop(hash_secret(token), None)

    def _check_page(self, principal: Principal) -> None:
        """Raise ``OriginNotAllowed`` for a key that is not taken from the page that sent it."""
        page = origin().page
        if page is None or principal.kind != "key":
            return
        allowed = self._web_origins if principal.origins is None else principal.origins
        if not is_of(page, allowed):
            raise OriginNotAllowed(
                f"This key is not taken from web pages of {page[:_SHOWN]}: add the origin to the "
                "key's, or call from a server."
            )

    def _refuse_unknown(self, slot: bytes) -> None:
        """Raise ``InvalidCredential`` for one that nobody had a moment ago."""
        if self._unknown.get(slot, 0.0) > time.monotonic():
            raise InvalidCredential()

    def _remember_unknown(self, slot: bytes) -> None:
        self._unknown[slot] = time.monotonic() + UNKNOWN_SECONDS
        self._unknown.move_to_end(slot)
        if len(self._unknown) > _KNOWN_MOST:
            self._unknown.popitem(last=False)

    async def _read(self, token: str, slot: bytes) -> Principal:
        async with self._database.begin() as connection:
            principal = await _look_up(connection, token, slot)
        if principal is None:
            self._remember_unknown(slot)
            raise InvalidCredential()
        return principal


def _check_address(principal: Principal) -> None:
    """Raise ``AddressNotAllowed`` for a key that is not taken from where the request comes from."""
    if principal.addresses is None:
        return
    address = origin().address
    if address is None or not is_trusted(address, principal.addresses):
        raise AddressNotAllowed(f"This key is not taken from {address or 'an unknown address'}.")


async def _look_up(connection: AsyncConnection, token: str, slot: bytes) -> Principal | None:
    now = datetime.now(UTC)
    if token.startswith(API_KEY):
        return await _api_key(connection, slot, now)
    if token.startswith(SESSION):
        return await _session(connection, slot, now)
    if token.startswith(OPERATOR_KEY):
        return await _operator_key(connection, slot, now)
    return None


async def _api_key(connection: AsyncConnection, slot: bytes, now: datetime) -> Principal | None:
    # Its own secret, or an earlier one of a rotated key: in one query, since guesses need both
    earlier = and_(
        retired_secrets.c.tenant_id == api_keys.c.tenant_id,
        retired_secrets.c.key_id == api_keys.c.id,
        retired_secrets.c.secret_hash == slot,
        retired_secrets.c.works_until > now,
    )
    by_hash = union_all(
        select(api_keys.c.tenant_id, api_keys.c.id).where(api_keys.c.secret_hash == slot),
        select(retired_secrets.c.tenant_id, retired_secrets.c.key_id).where(
            retired_secrets.c.secret_hash == slot, retired_secrets.c.works_until > now
        ),
    ).subquery()
    result = await connection.execute(
        select(api_keys, retired_secrets.c.works_until)
        .join(
            by_hash,
            and_(by_hash.c.tenant_id == api_keys.c.tenant_id, by_hash.c.id == api_keys.c.id),
        )
        .outerjoin(retired_secrets, earlier)
        .where(
            api_keys.c.revoked_at.is_(None),
            or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > now),
        )
    )
    row = result.mappings().first()
    if row is None:
        return None
    ends = [row["expires_at"], row["works_until"]]
    if row["disabled_at"] is not None:
        raise KeyDisabled()
    if _is_worth_noting(row, now):
        await connection.execute(
            update(api_keys)
            .where(api_keys.c.tenant_id == row["tenant_id"], api_keys.c.id == row["id"])
            .values(last_used_at=now)
        )
    scopes = frozenset(Scope(scope) for scope in row["scopes"])
    return Principal(
        kind="key",
        id=row["id"],
        tenant_id=row["tenant_id"],
        permissions=frozenset().union(*(SCOPE_PERMISSIONS[scope] for scope in scopes)),
        role=Role.VIEWER,
        scopes=scopes,
        application_id=row["application_id"],
        models=None if row["models"] is None else frozenset(row["models"]),
        limits=RateLimits.model_validate({name: row[name] for name in RateLimits.model_fields}),
        model_limits=tuple(map(ModelLimits.model_validate, row["model_limits"])),
        budget=budget_of(row),
        addresses=None if row["addresses"] is None else tuple(row["addresses"]),
        origins=None if row["origins"] is None else tuple(row["origins"]),
        valid_until=min((end for end in ends if end is not None), default=None),
    )


def _is_worth_noting(row: RowMapping, now: datetime) -> bool:
    """Return whether it was last used a minute ago or more: not every call is worth a write."""
    used = row["last_used_at"]
    return used is None or now - used >= _LAST_USED_EVERY


async def _session(connection: AsyncConnection, slot: bytes, now: datetime) -> Principal | None:
    # A former member's session no longer works.
    result = await connection.execute(
        select(
            sessions.c.user_id,
            sessions.c.tenant_id,
            sessions.c.last_used_at,
            sessions.c.expires_at,
            sessions.c.viewing_tenant_id,
            sessions.c.viewing_until,
            members.c.role,
            operates().label("is_operator"),
        )
        .join(users, users.c.id == sessions.c.user_id)
        .join(
            members,
            and_(
                members.c.user_id == sessions.c.user_id,
                members.c.tenant_id == sessions.c.tenant_id,
            ),
        )
        .where(sessions.c.token_hash == slot, sessions.c.expires_at > now)
    )
    row = result.mappings().first()
    if row is None:
        return None
    if _is_worth_noting(row, now):
        await connection.execute(
            update(sessions).where(sessions.c.token_hash == slot).values(last_used_at=now)
        )
    if (viewing := _viewing(row, now)) is not None:
        return viewing
    role = Role(row["role"])
    permissions = ROLE_PERMISSIONS[role]
    if row["is_operator"]:
        permissions = permissions | OPERATOR_PERMISSIONS
    return Principal(
        kind="user",
        id=row["user_id"],
        tenant_id=row["tenant_id"],
        permissions=permissions,
        role=role,
        valid_until=row["expires_at"],
    )


def _viewing(row: RowMapping, now: datetime) -> Principal | None:
    """Return the operator of a session as who looks at a tenant, while they do."""
    tenant_id, until = row["viewing_tenant_id"], row["viewing_until"]
    if tenant_id is None or until <= now or not row["is_operator"]:
        return None
    return Principal(
        kind="user",
        id=row["user_id"],
        tenant_id=tenant_id,
        permissions=VIEWING_PERMISSIONS,
        role=Role.OPERATOR,
        operates=True,
        valid_until=row["expires_at"],
        viewing_until=until,
    )


async def _operator_key(
    connection: AsyncConnection, slot: bytes, now: datetime
) -> Principal | None:
    result = await connection.execute(
        select(operator_keys).where(
            operator_keys.c.secret_hash == slot,
            operator_keys.c.revoked_at.is_(None),
            or_(operator_keys.c.expires_at.is_(None), operator_keys.c.expires_at > now),
        )
    )
    row = result.mappings().first()
    if row is None:
        return None
    if _is_worth_noting(row, now):
        await connection.execute(
            update(operator_keys).where(operator_keys.c.id == row["id"]).values(last_used_at=now)
        )
    scopes = [OperatorScope(scope) for scope in row["scopes"]]
    return Principal(
        kind="operator",
        id=row["id"],
        tenant_id="",
        # An operator's key acts for no tenant, so it can only do what names a tenant.
        permissions=frozenset().union(*(OPERATOR_SCOPE_PERMISSIONS[scope] for scope in scopes)),
        role=Role.OPERATOR,
        valid_until=row["expires_at"],
    )
