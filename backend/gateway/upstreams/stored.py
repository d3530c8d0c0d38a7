"""Upstreams that the operator set by the API: read, set, stopped and deleted."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from pydantic import SecretStr, ValidationError
from sqlalchemy import RowMapping, delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.gateway.errors import (
    UpstreamInSettings,
    UpstreamKeysMissing,
    UpstreamKeysNeeded,
    UpstreamNeeded,
    UpstreamNotFound,
    UpstreamRetired,
)
from backend.gateway.upstreams.health_report import upstream_health
from backend.kit.sealing import Sealer
from backend.settings import Upstream
from backend.storage.tables import upstreams
from backend_client.types import upstreams as wire
from backend_client.types.texts import AS_STORED
from backend_client.types.upstream_health import UpstreamHealth

_log = structlog.get_logger(__name__)

_SHOWN_FROM: Final = 12
"""A key of fewer characters has no last four to show."""
_TERMS: Final = frozenset(wire.UpstreamTerms.model_fields)


@dataclass(frozen=True, slots=True)
class PooledKey:
    """A key of an upstream; without ``secret`` it can't be had."""

    info: wire.UpstreamKeyInfo
    secret: str | None = field(repr=False)


async def list_upstreams(
    connection: AsyncConnection, configured: Sequence[Upstream]
) -> list[wire.Upstream]:
    """Return all upstreams that can be read, those of the settings first, each group by name."""
    rows = await connection.execute(select(upstreams).order_by(upstreams.c.name))
    in_settings = {upstream.name: upstream for upstream in configured}
    stored = {
        row["name"]: (row, terms)
        for row in rows.mappings()
        if row["name"] not in in_settings and (terms := _terms(row)) is not None
    }
    active = {name: terms for name, (row, terms) in stored.items() if row["state"] == "active"}
    sole = _sole_models({**in_settings, **active})
    health = await upstream_health(connection, datetime.now(UTC))
    return [
        *(
            _of_settings(upstream, sole[name], health[name])
            for name, upstream in sorted(in_settings.items())
        ),
        *(
            _shown(row, terms, sole.get(name, []), health[name])
            for name, (row, terms) in stored.items()
        ),
    ]


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

    Raises ``UpstreamInSettings``, ``UpstreamRetired``, ``UpstreamKeysNeeded`` if it would take its
    keys to another address, and ``SecretsKeyMissing`` for a key that can't be sealed.
    """
    _require_own(configured, name)
    await _require_possible(connection, name, wanted)
    values: dict[str, Any] = {
        "terms": wanted.model_dump(mode="json", include=set(_TERMS)),
        "changed_at": datetime.now(UTC),
    }
    if wanted.keys is not None:
        values["keys"] = [_stored_key(sealer, name, key) for key in wanted.keys]
    await connection.execute(
        insert(upstreams)
        .values(name=name, **{"keys": [], **values})
        .on_conflict_do_update(index_elements=[upstreams.c.name], set_=values)
    )
    return await find_upstream(connection, configured, name)


async def set_state(
    connection: AsyncConnection,
    configured: Sequence[Upstream],
    name: str,
    state: wire.UpstreamState,
    *,
    leave_unserved: bool = True,
) -> wire.Upstream:
    """Let an upstream take calls, or none; one that is retired loses its keys for good.

    Raises ``UpstreamNotFound``, ``UpstreamInSettings``, ``UpstreamRetired``, and
    ``UpstreamNeeded`` if models would be left without any, unless they may be.
    """
    _require_own(configured, name)
    # All of them: of two that serve a model, the second to be stopped must see that the first is
    await connection.execute(select(upstreams.c.name).order_by(upstreams.c.name).with_for_update())
    upstream = await find_upstream(connection, configured, name)
    if upstream.state == state:
        return upstream
    if upstream.state == "retired":
        raise UpstreamRetired(name)
    if state != "active" and upstream.sole_models and not leave_unserved:
        raise UpstreamNeeded(upstream.sole_models)
    values: dict[str, Any] = {"state": state, "changed_at": datetime.now(UTC)}
    if state == "retired":
        values["keys"] = []
    await connection.execute(update(upstreams).where(upstreams.c.name == name).values(values))
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
    """Return the upstreams of the database that take calls, with their keys.

    One whose keys can't be had, or that can't be read, is left out, and logged.
    """
    query = select(upstreams).where(upstreams.c.state == "active").order_by(upstreams.c.name)
    rows = (await connection.execute(query)).mappings()
    return [usable for row in rows if (usable := _usable(row, sealer)) is not None]


async def upstream_with_keys(
    connection: AsyncConnection, configured: Sequence[Upstream], sealer: Sealer, name: str
) -> tuple[Upstream, list[PooledKey]]:
    """Return an upstream as calls would be sent to it, also if it takes none now, and its keys.

    Those too that can't be had. Raises ``UpstreamNotFound``, ``UpstreamRetired``, and
    ``UpstreamKeysMissing`` if none can be had.
    """
    for upstream in configured:
        if upstream.name == name:
            secrets = [key.get_secret_value() for key in upstream.keys]
            return upstream, [PooledKey(_info_of(secret), secret) for secret in secrets]
    query = select(upstreams).where(upstreams.c.name == name)
    row = (await connection.execute(query)).mappings().first()
    if row is None or _terms(row) is None:
        raise UpstreamNotFound(f"There is no upstream {name!r}.")
    if row["state"] == "retired":
        raise UpstreamRetired(name)
    usable = _usable(row, sealer)
    if usable is None:
        raise UpstreamKeysMissing(f"The keys of {name!r} can't be had: set them again.")
    keys = [PooledKey(_info(key), _secret(sealer, name, key) or None) for key in row["keys"]]
    return usable, keys


def _usable(row: RowMapping, sealer: Sealer) -> Upstream | None:
    terms = _terms(row)
    if terms is None:
        return None
    secrets = [_secret(sealer, row["name"], key) for key in row["keys"]]
    # One of the environment is seen only here: when it was set, nobody could say how it looks
    keys = tuple(
        SecretStr(secret)
        for secret in secrets
        if secret and wire.can_call(terms.aws_signature, secret)
    )
    if len(keys) < len(secrets):
        _log.error("gateway.upstream_key_missing", upstream=row["name"])
    if secrets and not keys:
        return None
    return Upstream(name=row["name"], api_keys=keys, **dict(terms))


def _sole_models(active: Mapping[str, wire.UpstreamTerms]) -> dict[str, list[str]]:
    """Return, by upstream, the models that it alone serves."""
    serving = Counter(model for terms in active.values() for model in terms.models)
    return {
        name: sorted(model for model in terms.models if serving[model] == 1)
        for name, terms in active.items()
    }


def _require_own(configured: Sequence[Upstream], name: str) -> None:
    if any(upstream.name == name for upstream in configured):
        raise UpstreamInSettings(f"{name!r} is set in FAREBOX_UPSTREAMS, and is changed there.")


async def _require_possible(
    connection: AsyncConnection, name: str, wanted: wire.UpstreamPut
) -> None:
    """Raise ``UpstreamRetired``, or ``UpstreamKeysNeeded`` if it has keys, and another address.

    Who may set an address would else have the provider's keys sent to a host of their own. Nor is a
    key that signed calls sent itself, or the other way round.
    """
    query = select(upstreams).where(upstreams.c.name == name)
    row = (await connection.execute(query.with_for_update())).mappings().first()
    if row is None:
        return
    if row["state"] == "retired":
        raise UpstreamRetired(name)
    signs = row["terms"].get("aws_signature") is not None
    moved = row["terms"].get("base_url") != wanted.base_url
    moved = moved or signs != (wanted.aws_signature is not None)
    if wanted.keys is None and row["keys"] and moved:
        raise UpstreamKeysNeeded()


def _stored_key(sealer: Sealer, upstream: str, key: wire.UpstreamKey) -> dict[str, str]:
    if key.secret is None:
        return {"environment": str(key.environment)}
    last_four = {"last_four": key.secret[-4:]} if len(key.secret) >= _SHOWN_FROM else {}
    return {"sealed": sealer.seal(upstream, key.secret), **last_four}


def _secret(sealer: Sealer, upstream: str, key: Mapping[str, str]) -> str | None:
    if "environment" in key:
        return os.environ.get(key["environment"])
    # A newer Farebox may keep keys in a third way
    return sealer.open(upstream, key["sealed"]) if "sealed" in key else None


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


def _info(key: Mapping[str, str]) -> wire.UpstreamKeyInfo:
    return wire.UpstreamKeyInfo(environment=key.get("environment"), last_four=key.get("last_four"))


def _info_of(secret: str) -> wire.UpstreamKeyInfo:
    last_four = secret[-4:] if len(secret) >= _SHOWN_FROM else None
    return wire.UpstreamKeyInfo(environment=None, last_four=last_four)


def _shown(
    row: RowMapping, terms: wire.UpstreamTerms, sole_models: list[str], health: UpstreamHealth
) -> wire.Upstream:
    return wire.Upstream(
        name=row["name"],
        source="database",
        state=row["state"],
        keys=[_info(key) for key in row["keys"]],
        changed_at=row["changed_at"],
        sole_models=sole_models,
        health=health,
        **dict(terms),
    )


def _of_settings(
    upstream: Upstream, sole_models: list[str], health: UpstreamHealth
) -> wire.Upstream:
    return wire.Upstream(
        name=upstream.name,
        source="settings",
        state="active",
        keys=[_info_of(key.get_secret_value()) for key in upstream.keys],
        changed_at=None,
        sole_models=sole_models,
        health=health,
        **{name: getattr(upstream, name) for name in _TERMS},
    )
