"""The servers of NATS as an operator writes them down: one, or several of a cluster."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

_SCHEMES = frozenset({"nats", "tls", "ws", "wss"})


@dataclass(frozen=True, slots=True)
class NatsServers:
    """Where NATS is reached and as whom.

    Credentials are passed as options and hold for every server, also for those that a
    cluster reports later: in an address they would be for that server only.
    """

    addresses: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict, repr=False)


def nats_servers(
    urls: str, *, credentials: Path | None = None, ca: Path | None = None
) -> NatsServers:
    """Read ``nats://user:password@host:4222,nats://other:4222``; a user alone is a token.

    ``credentials`` is a file with a JWT and its seed, ``ca`` one with the certificate that signed
    the servers' own. Raises ``ValueError`` with a sentence that holds no secret.
    """
    addresses: list[str] = []
    options: dict[str, Any] = {}
    for url in urls.split(","):
        text = url.strip() if "://" in url else f"nats://{url.strip()}"
        parts = urlsplit(text)
        if parts.scheme not in _SCHEMES or not parts.hostname:
            raise ValueError("give addresses such as nats://one:4222,nats://two:4222")
        options.update(_credentials_of(parts.username, parts.password, options))
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        port = f":{parts.port}" if parts.port else ""
        addresses.append(urlunsplit((parts.scheme, f"{host}{port}", parts.path, "", "")))
    if credentials is not None:
        options["user_credentials"] = str(credentials)
    if ca is not None:
        options["tls"] = ssl.create_default_context(cafile=str(ca))
    return NatsServers(tuple(addresses), options)


def _credentials_of(
    user: str | None, password: str | None, before: dict[str, Any]
) -> dict[str, Any]:
    if user is None:
        return {}
    given = (
        {"token": unquote(user)}
        if password is None
        else {"user": unquote(user), "password": unquote(password)}
    )
    if before and before != given:
        raise ValueError("give all servers the same credentials")
    return given
