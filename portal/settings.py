"""What the portal reads from the environment (``FAREBOX_*``) or a ``.env`` file."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from edge.trusted import LOOPBACK, trusted_networks

SESSION_COOKIE = "farebox_session"
"""Its name without https; see ``PortalSettings.session_cookie``."""
LOGO_TYPES = {".svg": "image/svg+xml", ".png": "image/png", ".webp": "image/webp"}
"""Files that a logo may be, by the end of their name."""


def _as_name(name: str) -> str:
    if not name.isprintable() or not 1 <= len(name) <= 60 or set(name) & set('"\\<>'):
        raise ValueError("must be 1 to 60 letters without quotes, backslashes and angle brackets")
    return name


def _as_logo(file: Path) -> Path:
    file = file.expanduser().resolve()
    if file.suffix.lower() not in LOGO_TYPES or not file.is_file():
        raise ValueError(f"must be a file that ends in {', '.join(LOGO_TYPES)}")
    return file


class PortalSettings(BaseSettings):
    """Every setting of the portal, with defaults that work on a laptop."""

    model_config = SettingsConfigDict(
        env_prefix="FAREBOX_", env_file=".env", extra="ignore", frozen=True
    )

    home: Path = Path(".farebox")
    """Shared with the API on one machine; the local sign-in's secret is under it."""

    api_url: str = "http://127.0.0.1:8080"
    """Where the portal's server reaches the API. Browsers never call it."""

    public_api_url: str | None = None
    """The API's address as customers see it, in code samples; ``api_url`` if none."""

    portal_host: str = "127.0.0.1"
    portal_port: int = Field(3000, ge=0, le=65535)

    public_url: str | None = None
    """The portal's address as browsers see it, such as ``https://portal.example.com``, when a
    proxy stands before it. Websockets and sign-in are accepted from this origin alone."""

    public_docs: bool = True
    """Whether anybody may read the documentation, or only those who are signed in."""

    public_compare: bool = False
    """Whether anybody may compare the public plans on sale at ``/plans``, without signing in."""

    brand_name: Annotated[str, AfterValidator(_as_name)] = "Farebox"
    """The product's name, as customers know it."""

    brand_logo: Annotated[Path, AfterValidator(_as_logo)] | None = None
    """A square SVG, PNG or WebP file, for light and dark pages; the icon of tabs too."""

    brand_color: str | None = Field(None, pattern=r"^#[0-9a-fA-F]{6}$")
    """The color of buttons and links, such as ``#0f766e``; its other shades follow from it."""

    terms_url: str | None = None
    privacy_url: str | None = None
    support_url: str | None = None
    """A page, or ``mailto:`` and an address."""
    status_url: str | None = None

    trusted_addresses: Annotated[list[str], AfterValidator(trusted_networks)] = LOOPBACK
    """Proxies, whose ``x-forwarded-for`` is believed."""

    oidc_issuer: str | None = None
    oidc_client_id: str | None = None
    oidc_client_secret: SecretStr | None = None
    oidc_scopes: str = "openid email profile"

    cookie_secret: SecretStr | None = None
    """Signs the short-lived cookie of an OpenID Connect round trip. Set the same value on every
    portal process behind one address; one process makes its own."""

    @field_validator("home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @field_validator("api_url", "public_api_url", "public_url")
    @classmethod
    def _no_trailing_slash(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if urlsplit(value).scheme not in {"http", "https"}:
            raise ValueError("must start with http:// or https://")
        return value.rstrip("/")

    @field_validator("terms_url", "privacy_url", "support_url", "status_url")
    @classmethod
    def _web_or_mail(cls, value: str | None) -> str | None:
        if value is not None and urlsplit(value).scheme not in {"http", "https", "mailto"}:
            raise ValueError("must start with https://, http:// or mailto:")
        return value

    @model_validator(mode="after")
    def _everywhere_is_no_origin(self) -> Self:
        if self.public_url is None and is_everywhere(self.portal_host):
            raise ValueError(
                "set FAREBOX_PUBLIC_URL to the address that browsers use: the portal listens on "
                "every interface and can't tell which name is its own"
            )
        return self

    @property
    def local_sign_in_secret_file(self) -> Path:
        """Shared by portal and API on one machine; readable by their user alone."""
        return self.home / "run" / "local-sign-in"

    @property
    def oidc_configured(self) -> bool:
        """Whether people sign in at an identity provider."""
        return self.oidc_issuer is not None and self.oidc_client_id is not None

    @property
    def brand_links(self) -> list[tuple[str, str]]:
        """The seller's own pages that are set: their names and addresses."""
        pages = (
            ("Terms", self.terms_url),
            ("Privacy", self.privacy_url),
            ("Support", self.support_url),
            ("Status", self.status_url),
        )
        return [(name, address) for name, address in pages if address is not None]

    @property
    def shown_api_url(self) -> str:
        """The API's address for code samples."""
        return self.public_api_url or self.api_url

    @property
    def origins(self) -> tuple[str, ...]:
        """The origins that the portal is served from; no other may open its websocket."""
        if self.public_url:
            parts = urlsplit(self.public_url)
            return (f"{parts.scheme}://{parts.netloc}",)
        if is_loopback(self.portal_host):
            names = dict.fromkeys(("localhost", "127.0.0.1", _in_url(self.portal_host)))
            return tuple(f"http://{name}:{self.portal_port}" for name in names)
        return (f"http://{_in_url(self.portal_host)}:{self.portal_port}",)

    @property
    def secure(self) -> bool:
        """Whether browsers reach the portal by https, so that its cookies must too."""
        return bool(self.public_url and self.public_url.startswith("https:"))

    @property
    def session_cookie(self) -> str:
        """The name of the session's cookie.

        With https its prefix lets browsers take it from this very host by https alone, and for all
        paths: no other host of the domain can put one in its place (RFC 6265bis).
        """
        return f"__Host-{SESSION_COOKIE}" if self.secure else SESSION_COOKIE


def is_loopback(host: str) -> bool:
    """Tell whether listening on ``host`` can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def is_everywhere(host: str) -> bool:
    """Tell whether ``host`` means every interface, so that it is no name to reach."""
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return False


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


@lru_cache(maxsize=1)
def portal_settings() -> PortalSettings:
    """The settings of this process, read once."""
    return PortalSettings()
