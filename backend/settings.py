"""What an operator can set, from the environment (``FAREBOX_*``) or a ``.env`` file."""

from __future__ import annotations

import json
from decimal import Decimal
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Upstream(BaseModel):
    """An OpenAI-compatible provider that the gateway forwards to.

    ``models`` maps the name that customers use to the provider's own name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    base_url: str
    api_key: SecretStr | None = None
    models: dict[str, str]
    timeout_seconds: float = 600.0

    @field_validator("models", mode="before")
    @classmethod
    def _list_means_same_name(cls, value: object) -> object:
        return {name: name for name in value} if isinstance(value, list) else value


class Settings(BaseSettings):
    """Every setting of the backend, with defaults that work on a laptop."""

    model_config = SettingsConfigDict(
        env_prefix="FAREBOX_", env_file=".env", extra="ignore", populate_by_name=True
    )

    home: Path = Path(".farebox")
    """Where the embedded engines keep their data, and the supervisor its run files."""

    # Engines: an address, or embedded when there is none
    database_url: str | None = Field(
        None, validation_alias=AliasChoices("database_url", "FAREBOX_DATABASE_URL", "DATABASE_URL")
    )
    nats_url: str | None = Field(
        None, validation_alias=AliasChoices("nats_url", "FAREBOX_NATS_URL", "NATS_URL")
    )
    upstreams: list[Upstream] = []
    """JSON in the environment; the local model is used when empty."""

    # Servers
    api_host: str = "127.0.0.1"
    api_port: int = Field(8080, ge=0, le=65535)
    portal_host: str = "127.0.0.1"
    portal_port: int = Field(3000, ge=0, le=65535)
    max_body_bytes: int = Field(10 * 1024 * 1024, gt=0)
    database_pool_size: int = Field(10, gt=0)

    # Sign-in. The backend verifies the ID tokens that the portal obtains.
    oidc_issuer: str | None = None
    oidc_client_id: str | None = None
    session_seconds: int = Field(12 * 3600, gt=0)

    # Metering
    event_max_age_days: int = Field(400, gt=0)
    event_max_future_seconds: int = Field(300, ge=0)
    ingest_memory_bytes: int = Field(64 * 1024 * 1024, gt=0)
    """What the bodies of events may take in an API process before it answers 429."""
    stream_max_bytes: int = Field(4 * 1024**3, gt=0)
    stream_name: str = "FAREBOX_USAGE"
    drift_tolerance: Decimal = Field(Decimal("0.02"), ge=0)
    """How far a provider's report may be from our own count, as a part of it, without alert."""
    cost_rates: Path | None = None
    """YAML with what units cost; providers' list prices where it has no rate."""

    # Invoices. Lists and mappings are JSON in the environment.
    seller_name: str = "Sample seller (set FAREBOX_SELLER_NAME)"
    seller_address: list[str] = []
    seller_email: str | None = None
    seller_tax_id: str | None = None
    invoice_payment_note: str = ""
    """How to pay: printed on every invoice."""
    invoice_prefix: str = Field("FB", pattern=r"^[A-Z0-9]{1,16}$")
    invoice_grace_hours: int = Field(24, ge=0, le=24 * 14)
    """How long after a period's end its late events are still waited for."""
    invoice_net_days: int = Field(30, ge=0, le=365)
    dunning: dict[str, Annotated[int, Field(ge=0)]] = {"remind": 1, "warn": 7, "suspend": 21}
    """Whole days after an invoice was due, by the step that comes then."""

    catalog: Path = Path("catalog.yaml")
    log_format: Literal["json", "console"] = "console"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("upstreams", mode="before")
    @classmethod
    def _parse_upstreams(cls, value: object) -> object:
        return json.loads(value) if isinstance(value, str) else value

    @field_validator("home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @cached_property
    def local_sign_in_secret_file(self) -> Path:
        """Shared by portal and API on one machine; readable by their user alone."""
        return self.home / "run" / "local-sign-in"

    @property
    def local_sign_in_allowed(self) -> bool:
        """Only on a loopback-only installation with no identity provider configured."""
        return (
            self.oidc_issuer is None
            and is_loopback(self.api_host)
            and is_loopback(self.portal_host)
        )


def is_loopback(host: str) -> bool:
    """Tell whether listening on ``host`` can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
