"""Upstreams that the operator set by the API: read, set and deleted."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from pydantic import SecretStr, ValidationError
from sqlalchemy import RowMapping, delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.gateway.errors import UpstreamInSettings, UpstreamKeysNeeded, UpstreamNotFound
from backend.gateway.sealing import Sealer
from backend.settings import Upstream
from backend.storage.tables import upstreams
from backend_client.types import upstreams as wire
from backend_client.types.texts import AS_STORED

_log = structlog.get_logger(__name__)

_SHOWN_FROM: Final = 12
"""A key of fewer characters has no last four to show."""
_TERMS: Final = frozenset(wire.UpstreamTerms.model_fields)


async def list_upstreams(
    connection: AsyncConnection, configured: Sequence[Upstream]
) -> list[wire.Upstream]:
    """Return all upstreams that can be read, those of the settings first, each group by name."""
    rows = await connection.execute(select(upstreams).order_by(upstreams.c.name))
    in_settings = {upstream.name for upstream in configured}
    stored = [
        _shown(row, terms)
        for row in rows.mappings()
        if row["name"] not in in_settings and (terms := _terms(row)) is not None
    ]
    return [*map(_of_settings, sorted(configured, key=lambda each: each.name)), *stored]


async def find_upstream(
    connection: AsyncConnection, configured: Sequence[Upstream], name: str
) -> wire.Upstream:
    """Return one upstream; raises ``UpstreamNotFound``."""
    for upstream in await list_upstreams(connection, configured):
        if upstream.name == name:
            return upstream
    raise UpstreamNotFound(f"There is no upstream {name!r}.")


async def put_upstream(
    connection: AsyncConnection,
    configured: Sequence[Upstream],
    sealer: Sealer,
    name: str,
    wanted: wire.UpstreamPut,
) -> wire.Upstream:
    """Set an upstream, whether there is one or not. It keeps its keys if none are given.

    Raises ``UpstreamInSettings``, ``UpstreamKeysNeeded`` if it would take its keys to another
    address, and ``SecretsKeyMissing`` for a key that can't be sealed.
    """
    _require_own(configured, name)
    if wanted.keys is None:
        await _require_same_address(connection, name, wanted.base_url)
    values: dict[str, Any] = {
        "terms": wanted.model_dump(mode="json", include=set(_TERMS)),
        "changed_at": datetime.now(UTC),
    }
    if wanted.keys is not None:
        values["keys"] = [_kept(sealer, name, key) for key in wanted.keys]
    await connection.execute(
        insert(upstreams)
        .values(name=name, **{"keys": [], **values})
        .on_conflict_do_update(index_elements=[upstreams.c.name], set_=values)
    )
    return await find_upstream(connection, configured, name)


async def delete_upstream(
    connection: AsyncConnection, configured: Sequence[Upstream], name: str
) -> None:
    """Delete an upstream with its keys; raises ``UpstreamNotFound`` or ``UpstreamInSettings``."""
    _require_own(configured, name)
    statement = delete(upstreams).where(upstreams.c.name == name).returning(upstreams.c.name)
    if (await connection.execute(statement)).first() is None:
        raise UpstreamNotFound(f"There is no upstream {name!r}.")


async def stored_upstreams(connection: AsyncConnection, sealer: Sealer) -> list[Upstream]:
    """Return the upstreams of the database with their keys, as the gateway uses them.

    One whose keys can't be had, or that can't be read, is left out, and logged.
    """
    rows = (await connection.execute(select(upstreams).order_by(upstreams.c.name))).mappings()
    usable = []
    for row in rows:
        secrets = [_secret(sealer, row["name"], key) for key in row["keys"]]
        keys = tuple(SecretStr(secret) for secret in secrets if secret)
        if len(keys) < len(secrets):
            _log.error("gateway.upstream_key_missing", upstream=row["name"])
        terms = _terms(row)
        if terms is not None and (keys or not secrets):
            usable.append(Upstream(name=row["name"], api_keys=keys, **dict(terms)))
    return usable


def _require_own(configured: Sequence[Upstream], name: str) -> None:
    if any(upstream.name == name for upstream in configured):
        raise UpstreamInSettings(f"{name!r} is set in FAREBOX_UPSTREAMS, and is changed there.")


async def _require_same_address(connection: AsyncConnection, name: str, base_url: str) -> None:
    """Raise ``UpstreamKeysNeeded`` if an upstream has keys, and another address.

    Who may set an address would else have the provider's keys sent to a host of their own.
    """
    query = select(upstreams.c.terms, upstreams.c["keys"]).where(upstreams.c.name == name)
    row = (await connection.execute(query.with_for_update())).mappings().first()
    if row is not None and row["keys"] and row["terms"].get("base_url") != base_url:
        raise UpstreamKeysNeeded()


def _kept(sealer: Sealer, upstream: str, key: wire.UpstreamKey) -> dict[str, str]:
    if key.secret is None:
        return {"environment": str(key.environment)}
    last_four = {"last_four": key.secret[-4:]} if len(key.secret) >= _SHOWN_FROM else {}
    return {"sealed": sealer.seal(upstream, key.secret), **last_four}


def _secret(sealer: Sealer, upstream: str, key: Mapping[str, str]) -> str | None:
    if "environment" in key:
        return os.environ.get(key["environment"])
    return sealer.open(upstream, key["sealed"])


def _terms(row: RowMapping) -> wire.UpstreamTerms | None:
    """Return what an upstream was set to; None if a newer Farebox wrote what this one can't read.

    The others serve all the same.
    """
    try:
        return wire.UpstreamTerms.model_validate(row["terms"], context=AS_STORED)
    except ValidationError as error:
        wrong = [".".join(map(str, fault["loc"])) for fault in error.errors()]
        _log.error("gateway.upstream_unreadable", upstream=row["name"], members=wrong)
        return None


def _shown(row: RowMapping, terms: wire.UpstreamTerms) -> wire.Upstream:
    keys = [
        wire.UpstreamKeyInfo(environment=key.get("environment"), last_four=key.get("last_four"))
        for key in row["keys"]
    ]
    return wire.Upstream(
        name=row["name"],
        source="database",
        keys=keys,
        changed_at=row["changed_at"],
        **dict(terms),
    )


def _of_settings(upstream: Upstream) -> wire.Upstream:
    secrets = [key.get_secret_value() for key in upstream.keys]
    return wire.Upstream(
        name=upstream.name,
        source="settings",
        keys=[
            wire.UpstreamKeyInfo(
                environment=None, last_four=key[-4:] if len(key) >= _SHOWN_FROM else None
            )
            for key in secrets
        ],
        changed_at=None,
        **{name: getattr(upstream, name) for name in _TERMS},
    )
