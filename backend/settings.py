"""What an operator can set, from the environment (``FAREBOX_*``) or a ``.env`` file."""

from __future__ import annotations

import json
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AliasChoices,
    Field,
    HttpUrl,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
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
from backend_client.types.charges import TimeZone
from backend_client.types.countries import Country
from backend_client.types.events import Name
from backend_client.types.invoices import PartyLegal
from backend_client.types.upstreams import (
    Seconds,
    UpstreamTerms,
    UpstreamTimeouts,
    check_keys,
)
from backend_client.types.web_origins import WebOrigin
from edge.trusted import LOOPBACK, trusted_networks


class Upstream(UpstreamTerms):
    """A model provider that the gateway forwards to, with its keys.

    ``api_keys`` are several, used in turn; ``timeout_seconds`` is short for how long it may be
    silent, before an answer and within one.
    """

    name: Name
    api_key: SecretStr | None = None
    api_keys: tuple[SecretStr, ...] = ()
    timeout_seconds: Seconds | None = None

    @model_validator(mode="before")
    @classmethod
    def _one_timeout_means_both(cls, value: Any) -> Any:
        if not isinstance(value, dict) or value.get("timeout_seconds") is None:
            return value
        seconds, timeouts = value["timeout_seconds"], value.get("timeouts", {})
        if isinstance(timeouts, UpstreamTimeouts):
            timeouts = timeouts.model_dump(exclude_unset=True)
        silent = {"first_token_seconds": seconds, "idle_seconds": seconds}
        return {**value, "timeouts": {**silent, **timeouts}}

    @model_validator(mode="after")
    def _keys_can_call(self) -> Self:
        check_keys(self.aws_signature, (key.get_secret_value() for key in self.keys))
        return self

    @property
    def keys(self) -> tuple[SecretStr, ...]:
        """All of its keys."""
        return ((self.api_key,) if self.api_key else ()) + self.api_keys


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
    secrets_key: SecretStr | None = None
    """Seals the keys of upstreams that are kept in the database; several with spaces while one
    replaces another, of which the first seals."""

    # Servers
    api_host: str = "127.0.0.1"
    api_port: int = Field(8080, ge=0, le=65535)
    portal_host: str = "127.0.0.1"
    portal_port: int = Field(3000, ge=0, le=65535)
    public_url: str | None = None
    """The portal's address as browsers see it: what links to it begin with, and where a platform's
    pages lead back to."""
    max_body_bytes: int = Field(10 * 1024 * 1024, gt=0)
    database_pool_size: int = Field(10, gt=0)
    trusted_addresses: Annotated[list[str], AfterValidator(trusted_networks)] = LOOPBACK
    """Proxies, whose ``x-forwarded-for`` is believed, and portals, whose failures aren't slowed."""
    secret_scanning_keys_url: Annotated[str, AfterValidator(check_webhook_url)] | None = None
    """Where a secret scanner's public keys are; its messages are taken only with it."""
    leaked_keys: Literal["revoke", "disable"] = "revoke"
    """What becomes of a customer's key that was found where anybody can read it."""
    web_origins: list[WebOrigin] = []
    """Origins of web pages that may use API keys without origins of their own."""
    metrics_token: SecretStr | None = None
    """Opens ``/metrics`` to Prometheus; without it, an operator's key does."""
    shutdown_seconds: int = Field(10, ge=0)
    """How long answers under way may take to their end after SIGTERM."""

    # Sign-in. The backend verifies the ID tokens that the portal obtains.
    oidc_issuer: str | None = None
    oidc_client_id: str | None = None
    oidc_trust_emails: bool = False
    """Take addresses for verified where the provider does not say whether they are."""
    session_seconds: int = Field(12 * 3600, gt=0)
    sign_up: Literal["invited", "open"] = "invited"
    """Whether somebody new gets a tenant by signing in, or needs an invitation."""
    operator_claim: str = "groups"
    operator_group: str | None = None
    """Who has it in the ID token's claim is an operator; nobody by a claim if None."""
    operator_session_seconds: int = Field(4 * 3600, gt=0)
    """A lost group is noticed at the next sign-in, so that an operator's is asked for sooner."""

    # New tenants, where nothing else is said
    public_compare: bool = False
    """Whether anybody may compare the public plans on sale, without signing in."""

    default_currency: str = Field("USD", pattern=r"^[A-Z]{3}$")
    default_time_zone: TimeZone = "UTC"

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
    refused_event_days: int = Field(14, ge=0, le=400)
    """How long refused events are listed, this day included; 0 lists none."""
    conversation_days: int = Field(30, ge=0, le=400)
    """How long the playground's conversations are kept after they were last written; 0 keeps
    none."""
    request_log_days: int = Field(30, ge=0, le=400)
    """How long calls through the gateway are listed; 0 logs none."""
    show_upstreams: bool = False
    """Whether customers see in the log which upstream served a call."""
    drift_sample: float = Field(0.1, ge=0, le=1)
    """The part of calls whose tokens are counted to be compared with the provider's report."""
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
    seller_legal: PartyLegal | None = None
    """What e-invoices need of the seller beside the above; JSON in the environment."""
    invoice_payment_note: str = ""
    """How to pay: printed on every invoice."""
    invoice_prefix: str = Field("FB", pattern=r"^[A-Z0-9]{1,16}$")
    invoice_grace_hours: int = Field(24, ge=0, le=24 * 14)
    """How long after a period's end its late events are still waited for."""
    credit_taxed: Literal["at_redemption", "at_sale"] = "at_redemption"
    """When tax falls on credit that is bought: as it is used, or as it is sold."""
    invoice_net_days: int = Field(30, ge=0, le=365)
    dunning: dict[str, Annotated[int, Field(ge=0)]] = {"remind": 1, "warn": 7, "suspend": 21}
    """Whole days after an invoice was due, by the step that comes then."""

    # Notifications. Without an address they are kept on record and sent nowhere.
    webhook_url: str | None = None
    webhook_secret: SecretStr | None = Field(None, validate_default=True)
    """``whsec_`` and base64; several with spaces between them while one replaces another."""
    smtp_url: SecretStr | None = None
    mail_from: str | None = Field(None, validate_default=True)
    webhook_networks: Annotated[list[str], AfterValidator(trusted_networks)] = []
    """Private networks that customers' webhooks may lead to, by http too; others must be public."""
    webhook_disable_days: int = Field(5, ge=1, le=90)
    """After how many days of nothing but failures a customer's webhook is disabled."""
    notification_days: int = Field(90, gt=0)
    """How long a notification is kept once nothing is left to do with it."""

    # Tax: the rates of the catalog, or a service that is asked for each invoice
    tax_service_url: HttpUrl | None = None
    tax_service_token: SecretStr | None = None
    tax_service_timeout_seconds: float = Field(5.0, gt=0, le=60)
    """How long one answer may take; after a failure it is asked again, three times in all."""

    # VAT ids: their form is always checked; with an address they are looked up too
    vies_url: HttpUrl | None = None
    """``https://ec.europa.eu/taxation_customs/vies/rest-api``, or a service that answers alike."""

    # Billing platforms. Without a key nothing is sent.
    stripe_secret_key: SecretStr | None = None
    """``sk_`` or, with the permissions that the docs list, ``rk_``; of a test mode too."""
    stripe_webhook_secret: SecretStr | None = None
    """``whsec_…`` of the endpoint; several with spaces between them while one is rolled."""
    stripe_url: str = Field("https://api.stripe.com", pattern=r"^https?://[^/\s]+/?$")
    stripe_requests_per_second: float = Field(20.0, gt=0, le=100)
    """Of all workers and API processes together. Stripe takes 25 of a test account."""
    stripe_meter_events: Literal["single", "stream"] = "single"
    """How usage is sent: one event a request, judged at once, or a hundred, judged later."""
    orb_api_key: SecretStr | None = None
    orb_webhook_secret: SecretStr | None = None
    """Of the webhook endpoint; several with spaces between them while one is rolled."""
    orb_url: str = Field("https://api.withorb.com", pattern=r"^https?://[^/\s]+/?$")
    orb_requests_per_second: float = Field(8.0, gt=0, le=100)
    """Of all workers and API processes together. Orb takes some 10 of a test account."""
    orb_grace_hours: int = Field(12, ge=1, le=24 * 31)
    """The account's grace period: what is older can't be ingested, and is backfilled."""
    amberflo_api_key: SecretStr | None = None
    amberflo_webhook_secret: SecretStr | None = None
    """What Amberflo's webhook says in ``X-Auth``; several with spaces while one is replaced."""
    amberflo_url: str = Field("https://app.amberflo.io", pattern=r"^https?://[^/\s]+/?$")
    amberflo_ingest_url: str = Field("https://ingest.amberflo.io", pattern=r"^https?://[^/\s]+/?$")
    amberflo_requests_per_second: float = Field(10.0, gt=0, le=100)
    """Of all workers and API processes together. Amberflo publishes no limit."""

    catalog: Path = Path("catalog.yaml")
    log_format: Literal["json", "console"] = "console"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("upstreams", mode="before")
    @classmethod
    def _parse_upstreams(cls, value: object) -> object:
        return json.loads(value) if isinstance(value, str) else value

    @field_validator("secrets_key")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        parts = value.get_secret_value().split() if value else ["x" * 32]
        if not parts or min(map(len, parts)) < 32:
            raise ValueError("needs 32 characters or more, such as `openssl rand -base64 32` makes")
        return value

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

    @field_validator("stripe_webhook_secret", "orb_webhook_secret", "amberflo_webhook_secret")
    @classmethod
    def _platform_webhook_secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().split():
            raise ValueError("must not be empty")
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

    @property
    def stripe_webhook_secrets(self) -> list[SecretStr]:
        """The secrets that a webhook of Stripe's may be signed by; none if none is set."""
        secret = self.stripe_webhook_secret
        return [] if secret is None else [SecretStr(part) for part in _parts(secret)]

    @property
    def orb_webhook_secrets(self) -> list[SecretStr]:
        """The secrets that a webhook of Orb's may be signed by; none if none is set."""
        secret = self.orb_webhook_secret
        return [] if secret is None else [SecretStr(part) for part in _parts(secret)]

    @property
    def amberflo_webhook_secrets(self) -> list[SecretStr]:
        """What a webhook of Amberflo's may be known by; none if none is set."""
        secret = self.amberflo_webhook_secret
        return [] if secret is None else [SecretStr(part) for part in _parts(secret)]

    @property
    def portal_url(self) -> str:
        """Where people reach the portal, without a slash at the end."""
        own = f"http://{self.portal_host}:{self.portal_port}"
        return (self.public_url or own).rstrip("/")

    @cached_property
    def secrets_key_file(self) -> Path:
        """Where ``farebox up`` keeps a key of its own, for when none is set."""
        return self.home / "secrets-key"

    @property
    def sealing_key(self) -> SecretStr | None:
        """What secrets are sealed by: the key that is set, or that of this machine, or None."""
        if self.secrets_key is not None:
            return self.secrets_key
        try:
            return SecretStr(self.secrets_key_file.read_text().strip())
        except OSError:
            return None

    @property
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


def _parts(secret: SecretStr) -> list[str]:
    return secret.get_secret_value().split()
