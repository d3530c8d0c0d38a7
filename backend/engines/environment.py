"""What a child process gets of this one's environment: what it needs, and no other's secrets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal

Role = Literal["api", "worker", "portal"]
Inherits = Callable[[Mapping[str, str]], dict[str, str]]

_OF_THE_SYSTEM = frozenset(
    [
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "LANG",
        "LANGUAGE",
        "TZ",
        "TMPDIR",
        "TEMP",
        "TMP",
        "LD_LIBRARY_PATH",
        "DYLD_LIBRARY_PATH",
        "OMP_NUM_THREADS",
        "VIRTUAL_ENV",
        "PYTHONUNBUFFERED",
        "SYSTEMROOT",
    ]
)
_UPSTREAM_KEYS = "FAREBOX_UPSTREAM_KEY_"
_SETTINGS = ("FAREBOX_", "DATABASE_URL", "NATS_URL")
_PORTAL_SETTINGS = frozenset(
    f"FAREBOX_{name}"
    for name in [
        "HOME",
        "API_URL",
        "PUBLIC_API_URL",
        "PORTAL_HOST",
        "PORTAL_PORT",
        "PUBLIC_URL",
        "OIDC_ISSUER",
        "OIDC_CLIENT_ID",
        "OIDC_CLIENT_SECRET",
        "OIDC_SCOPES",
        "COOKIE_SECRET",
        "TRUSTED_ADDRESSES",
        "PUBLIC_DOCS",
        "PUBLIC_COMPARE",
        "BRAND_NAME",
        "BRAND_LOGO",
        "BRAND_COLOR",
        "TERMS_URL",
        "PRIVACY_URL",
        "SUPPORT_URL",
        "STATUS_URL",
    ]
)
"""All that ``portal.settings`` reads."""
_PORTAL_SECRETS = frozenset({"FAREBOX_OIDC_CLIENT_SECRET", "FAREBOX_COOKIE_SECRET"})
_WITHHELD: Mapping[str, frozenset[str]] = {
    # Notifications are the worker's to deliver; their addresses have no use without the secrets
    "api": _PORTAL_SECRETS
    | {"FAREBOX_WEBHOOK_URL", "FAREBOX_WEBHOOK_SECRET", "FAREBOX_SMTP_URL", "FAREBOX_MAIL_FROM"},
    # It calls no model, and answers no scrape
    "worker": _PORTAL_SECRETS | {"FAREBOX_UPSTREAMS", "FAREBOX_METRICS_TOKEN"},
}


def for_an_engine(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what a program of others gets: what the system set, and nothing of Farebox's."""
    return {
        name: value
        for name, value in environment.items()
        if name in _OF_THE_SYSTEM or name.startswith("LC_")
    }


def for_role(role: Role) -> Inherits:
    """Return what picks one of our own programs' environment: all but other programs' settings."""
    return partial(_pick, role)


def _pick(role: Role, environment: Mapping[str, str]) -> dict[str, str]:
    def is_wanted(name: str) -> bool:
        if not name.startswith(_SETTINGS):
            return True
        if name.startswith(_UPSTREAM_KEYS):
            return role == "api"
        return name in _PORTAL_SETTINGS if role == "portal" else name not in _WITHHELD[role]

    return {name: value for name, value in environment.items() if is_wanted(name)}
