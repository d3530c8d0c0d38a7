"""Addresses and secrets as an operator writes them: parsed, or refused with a reason.

Every function raises ``ValueError`` with a sentence that contains no secret.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from email.headerregistry import Address
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

_MARK = "whsec_"  # these two as Standard Webhooks has them
_SECRET_BYTES = range(24, 65)
_SMTP_PORTS = {"smtp": 587, "smtps": 465}
# One mailbox and nothing else: no list, no name, nothing that ends a header or an SMTP command
_MAILBOX = re.compile(r"[!-~]+@[!-~]+", re.ASCII)
_NOT_IN_MAILBOX = frozenset('"(),:;<>[]\\')
_LONGEST_MAILBOX = 254


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """A mail server. ``encryption`` is from the first byte, by STARTTLS, or none."""

    host: str
    port: int
    encryption: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)


def is_loopback(host: str) -> bool:
    """Return whether listening on ``host`` can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def check_webhook_url(url: str) -> str:
    """Return the address of an endpoint: https, or on this machine http too."""
    parts = urlsplit(url)
    host = parts.hostname
    if parts.scheme not in {"http", "https"} or not host or any(c.isspace() for c in url):
        raise ValueError("give an address such as https://example.com/farebox")
    _ = parts.port  # raises if it is not a port
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError("it must begin with https:// unless it is on this machine")
    return url


def webhook_secrets(text: str) -> tuple[bytes, ...]:
    """Read the secrets that sign webhooks: one or, while they change, several with spaces."""
    secrets = []
    for address in text.split():
        if not address.startswith(_MARK):
            raise ValueError(f"a secret begins with {_MARK}")
        try:
            secret = base64.b64decode(address.removeprefix(_MARK), validate=True)
        except ValueError:
            raise ValueError(f"what follows {_MARK} must be base64") from None
        if len(secret) not in _SECRET_BYTES:
            raise ValueError("a secret must have 24 to 64 bytes")
        secrets.append(secret)
    if not secrets:
        raise ValueError("give a secret")
    return tuple(secrets)


def smtp_server(url: str) -> SmtpServer:
    """Read ``smtp://user:password@host:587`` or ``smtps://…``.

    With ``smtp://`` STARTTLS is required, except on this machine, where it is not used.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("the port must be a number") from None
    if parts.scheme not in _SMTP_PORTS or not parts.hostname:
        raise ValueError("give an address such as smtp://user:password@mail.example.com:587")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(
            "nothing may follow the port; write / ? and # in a password as %2F %3F %23"
        )
    if parts.scheme == "smtps":
        encryption = "tls"
    else:
        encryption = "none" if is_loopback(parts.hostname) else "starttls"
    return SmtpServer(
        parts.hostname,
        port or _SMTP_PORTS[parts.scheme],
        encryption,
        unquote(parts.username) if parts.username else None,
        unquote(parts.password) if parts.password else None,
    )


def mailbox(text: str) -> str | None:
    """Return a text that is one bare e-mail address, in ASCII; None if it is anything else.

    A domain with other letters is written as DNS has it: ``ann@xn--exmple-cua.com``.
    """
    local, at, domain = text.partition("@")
    try:
        written = f"{local}{at}{domain.encode('idna').decode()}"
    except UnicodeError:
        return None
    if "@" in domain or _NOT_IN_MAILBOX.intersection(written) or len(written) > _LONGEST_MAILBOX:
        return None
    return written if _MAILBOX.fullmatch(written) else None


def mail_sender(text: str) -> Address:
    """Parse the sender of mail: ``billing@example.com`` or ``Example <billing@example.com>``."""
    name, bracket, bare = text.strip().rpartition("<")
    if bracket:
        bare, closed, after = bare.partition(">")
        address = mailbox(bare) if closed and not after else None
    else:
        address = mailbox(bare)
    if address is None or not name.isprintable():
        raise ValueError("give an address such as Example <billing@example.com>")
    return Address(name.strip().strip('"'), addr_spec=address)
