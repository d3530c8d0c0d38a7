"""What an operator can set, from the environment (``FAREBOX_*``) or a ``.env`` file."""

from __future__ import annotations

import json
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    SecretStr,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from backend.kit.addresses import (
    check_webhook_url,
    is_loopback,
    mail_sender,
    smtp_server,
    webhook_secrets,
)
from backend.kit.nats_servers import nats_servers
from backend_client.types.countries import Country


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
        env_prefix="FAREBOX_",
        env_file=".env",
        extra="ignore",
        populate_by_name=True,
        hide_input_in_errors=True,  # it may be a secret
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
    nats_credentials: Path | None = None
    """A ``.creds`` file with the JWT and seed to sign in to NATS with."""
    nats_ca: Path | None = None
    """The certificate that signed those of the NATS servers; the system's if None."""
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
    event_retention_days: int | None = None
    """How long events stay before the worker archives them; for ever if None."""
    event_archive_dir: Path | None = Field(None, validate_default=True)
    """Where archived events go: the same place for every worker, and kept as the database is."""
    ingest_memory_bytes: int = Field(64 * 1024 * 1024, gt=0)
    """The memory for bodies of events in an API process; beyond it the API answers 429."""
    stream_max_bytes: int = Field(4 * 1024**3, gt=0)
    stream_name: str = "FAREBOX_USAGE"
    stream_replicas: int = Field(1, ge=1, le=5)
    """On how many servers of a NATS cluster each accepted event is kept: 3 outlives one of them."""
    drift_tolerance: Decimal = Field(Decimal("0.02"), ge=0)
    """How far a provider's report may be from our own count, as a part of it, without alert."""
    cost_rates: Path | None = None
    """YAML with what units cost; providers' list prices where it has no rate."""

    # Invoices. Lists and mappings are JSON in the environment.
    seller_name: str = "Sample seller (set FAREBOX_SELLER_NAME)"
    seller_address: list[str] = []
    seller_email: str | None = None
    seller_tax_id: str | None = None
    seller_country: Country | None = None
    """Where customers without a country on record are taxed, and where reverse charge ends."""
    invoice_payment_note: str = ""
    """How to pay: printed on every invoice."""
    invoice_prefix: str = Field("FB", pattern=r"^[A-Z0-9]{1,16}$")
    invoice_grace_hours: int = Field(24, ge=0, le=24 * 14)
    """How long after a period's end its late events are still waited for."""
    invoice_net_days: int = Field(30, ge=0, le=365)
    dunning: dict[str, Annotated[int, Field(ge=0)]] = {"remind": 1, "warn": 7, "suspend": 21}
    """Whole days after an invoice was due, by the step that comes then."""

    # Notifications. Without an address they are kept on record and sent nowhere.
    webhook_url: str | None = None
    webhook_secret: SecretStr | None = Field(None, validate_default=True)
    """``whsec_`` and base64; several with spaces between them while one replaces another."""
    smtp_url: SecretStr | None = None
    mail_from: str | None = Field(None, validate_default=True)
    notification_days: int = Field(90, gt=0)
    """How long a notification is kept once nothing is left to do with it."""

    # Tax: the rates of the catalog, or a service that is asked for each invoice
    tax_service_url: HttpUrl | None = None
    tax_service_token: SecretStr | None = None
    tax_service_timeout_seconds: float = Field(5.0, gt=0, le=60)
    """How long one answer may take; after a failure it is asked again, three times in all."""

    catalog: Path = Path("catalog.yaml")
    log_format: Literal["json", "console"] = "console"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("upstreams", mode="before")
    @classmethod
    def _parse_upstreams(cls, value: object) -> object:
        return json.loads(value) if isinstance(value, str) else value

    @field_validator("event_retention_days")
    @classmethod
    def _older_than_what_comes(cls, value: int | None, info: ValidationInfo) -> int | None:
        oldest = info.data.get("event_max_age_days", 0)
        if value is not None and value <= oldest:
            raise ValueError(
                f"must be more than the {oldest} days of FAREBOX_EVENT_MAX_AGE_DAYS, in which "
                "events may still come"
            )
        return value

    @field_validator("event_archive_dir")
    @classmethod
    def _archives_have_a_place(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is None and info.data.get("event_retention_days") is not None:
            raise ValueError("must be set where FAREBOX_EVENT_RETENTION_DAYS is")
        return None if value is None else value.expanduser().resolve()

    @field_validator("home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @field_validator("nats_url")
    @classmethod
    def _nats_url(cls, value: str | None) -> str | None:
        if value is not None:
            nats_servers(value)
        return value

    @field_validator("webhook_url")
    @classmethod
    def _webhook_url(cls, value: str | None) -> str | None:
        return None if value is None else check_webhook_url(value)

    @field_validator("webhook_secret")
    @classmethod
    def _webhook_secret(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if value is None:
            if info.data.get("webhook_url") is not None:
                raise ValueError("FAREBOX_WEBHOOK_URL is set, so FAREBOX_WEBHOOK_SECRET must be")
        else:
            webhook_secrets(value.get_secret_value())
        return value

    @field_validator("smtp_url")
    @classmethod
    def _smtp_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            smtp_server(value.get_secret_value())
        return value

    @field_validator("mail_from")
    @classmethod
    def _mail_from(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None:
            if info.data.get("smtp_url") is not None:
                raise ValueError("FAREBOX_SMTP_URL is set, so FAREBOX_MAIL_FROM must be")
        else:
            mail_sender(value)
        return value

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
