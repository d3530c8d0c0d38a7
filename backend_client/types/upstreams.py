"""Upstreams: the model providers that the gateway forwards to, and how it does."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any, Final, Literal, Self, TypeAlias
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from backend_client.types.common import Answer, Instant, Wire
from backend_client.types.events import Name
from backend_client.types.upstream_health import UpstreamHealth

UpstreamKind: TypeAlias = Literal["openai", "anthropic", "azure", "bedrock"]
"""What an upstream's addresses and its credential look like; see ``docs/upstreams.md``."""

OutputLimit: TypeAlias = Literal["max_completion_tokens", "max_tokens"]
"""The two names by which servers of OpenAI's chat completions know an answer's limit."""

OUTPUT_LIMITS: Final = frozenset(
    {"max_completion_tokens", "max_tokens", "max_output_tokens", "n_predict"}
)
"""The names by which the protocols, and llama.cpp, know the limit of an answer."""

BOUND_MEMBERS: Final = OUTPUT_LIMITS | {"model", "stream", "stream_options", "n"}
"""What the gateway answers for: a call's price is bounded by it."""

_SECONDS: Final = 24 * 3600.0
_HEADER = re.compile(r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")  # RFC 9110, 5.6.2
_RESERVED_HEADERS: Final = frozenset(
    {"content-length", "content-type", "transfer-encoding", "connection", "host"}
)
_IN_PATH = re.compile(r"\{[^}]*\}")

Seconds = Annotated[float, Field(gt=0, le=_SECONDS, allow_inf_nan=False)]


def _web_address(value: str) -> str:
    try:
        parts = urlsplit(value)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise PydanticCustomError("web_address", "Is no address such as https://api.example.com/v1")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise PydanticCustomError(
            "bare_address",
            "Should have no user, query or fragment: there are members of their own for these",
        )
    return value.rstrip("/")


WebAddress = Annotated[str, Field(max_length=2000), AfterValidator(_web_address)]


def _list_means_same_name(value: object) -> object:
    return {name: name for name in value} if isinstance(value, list) else value


class UpstreamTimeouts(Wire):
    """How long an upstream may take, in seconds. Keep-alives of a stream prolong none of these."""

    connect_seconds: Seconds = Field(10, description="To accept a connection")
    first_token_seconds: Seconds = Field(
        600, description="From the request to the first part of an answer, or to all of one"
    )
    idle_seconds: Seconds = Field(600, description="From one part of a stream to the next")
    total_seconds: Seconds = Field(
        3600, description="From the call's begin to its end, earlier attempts included"
    )


class UpstreamRules(Wire):
    """What of a customer's request reaches an upstream.

    Without rules all of it does, but for what costs the seller a price of its own, beyond tokens:
    a tier of service, searches, tools that run at the provider. What is left out is named in the
    answer's header ``x-farebox-dropped``.
    """

    allow: tuple[str, ...] = Field(
        (),
        max_length=100,
        description="What costs extra and may pass all the same, such as `service_tier`; a "
        "provider's tool as `tools.web_search`",
    )
    only: tuple[str, ...] | None = Field(
        None, max_length=200, description="If given, the only members that pass beside the model"
    )
    drop: tuple[str, ...] = Field((), max_length=100, description="Members that never pass")
    force: dict[str, Any] = Field(
        default_factory=dict,
        max_length=50,
        description="Members that are sent with this value, whatever the customer sent",
    )
    output_limit: OutputLimit | None = Field(
        None,
        description="The name by which the upstream knows the limit of an answer in chat "
        "completions; without it, the customer's",
    )
    stream_usage: bool = Field(
        True,
        description="Whether `stream_options` may be sent, which asks for the usage of a stream; "
        "without it, what an upstream does not report is counted here",
    )

    @field_validator("force")
    @classmethod
    def _can_be_forced(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name in value.keys() & BOUND_MEMBERS:
            raise PydanticCustomError(
                "bound", "{name} decides what a call may cost, and can't be forced", {"name": name}
            )
        return value


class AwsSignature(Wire):
    """What calls are signed for, by AWS's Signature Version 4, instead of sending a key."""

    region: str = Field(pattern=r"^[a-z0-9-]{1,60}$", description="Such as `us-east-1`")
    service: str = Field(
        "bedrock",
        pattern=r"^[a-z0-9-]{1,60}$",
        description="The name that AWS's documents give for signatures of the address",
    )


AWS_KEY: Final = re.compile(r"([A-Za-z0-9_]{3,128}):([!-9;-~]+)(?::([!-9;-~]+))?")
"""An access key as it is given: its id, its secret, and a temporary one's token, by colons."""
_SENDABLE_KEY: Final = re.compile(r"[!-~](?:[ -~]*[!-~])?")


def is_sendable_key(secret: str) -> bool:
    """Return whether a header may hold a key: visible ASCII, with blanks within at most."""
    return _SENDABLE_KEY.fullmatch(secret) is not None


def can_call(signature: AwsSignature | None, secret: str) -> bool:
    """Return whether calls can be made with a key, which signs them or is sent."""
    return is_sendable_key(secret) if signature is None else bool(AWS_KEY.fullmatch(secret))


def check_keys(signature: AwsSignature | None, secrets: Iterable[str]) -> None:
    """Raise an error for a key that no call can be made with."""
    if all(can_call(signature, secret) for secret in secrets):
        return
    if signature is not None:
        raise PydanticCustomError(
            "aws_key", "Each should be an access key's id and its secret with a colon between them"
        )
    raise PydanticCustomError(
        "key_text",
        "Each should be of letters, digits and signs of ASCII, with no blank before or after",
    )


class UpstreamTerms(Wire):
    """An upstream without its keys: where it is, what it serves and in which order it is tried."""

    kind: UpstreamKind = Field("openai", description="How its addresses and credential look")
    base_url: WebAddress = Field(description="Such as https://api.example.com/v1")
    models: Annotated[dict[Name, str], BeforeValidator(_list_means_same_name)] = Field(
        max_length=10_000,
        description="The names that customers use, with the upstream's own",
    )
    priority: int = Field(
        0, ge=0, le=1000, description="Upstreams of a lower number are tried first"
    )
    weight: int = Field(
        1, ge=1, le=1000, description="Its share of calls among those of one priority"
    )
    max_concurrency: int | None = Field(
        None, ge=1, le=100_000, description="Calls at a time, of each process; further go elsewhere"
    )
    stops_when_left: bool = Field(
        False,
        description="Whether it stops working on a whole answer when the connection is closed. "
        "Then a caller who leaves pays for the prompt alone, and else for the answer too. The same "
        "goes for streams of models that think unseen",
    )
    timeouts: UpstreamTimeouts = Field(UpstreamTimeouts(), description="How long it may take.")
    rules: UpstreamRules = Field(
        UpstreamRules(), description="What of a customer's request reaches it."
    )
    headers: dict[str, str] = Field(
        default_factory=dict, max_length=50, description="Sent with every call; no secrets"
    )
    query: dict[str, str] = Field(
        default_factory=dict, max_length=50, description="Such as `api-version`; no secrets"
    )
    paths: dict[str, str] = Field(
        default_factory=dict,
        max_length=20,
        description="Below `base_url`, by protocol, where it is not the kind's; `{model}` stands "
        "for the upstream's own name",
    )
    key_header: str | None = Field(
        None, description="The header of the key, where it is not the kind's"
    )
    aws_signature: AwsSignature | None = Field(
        None,
        description="If given, each key is an access key of AWS as `id:secret`, or "
        "`id:secret:token` of a temporary one, which signs calls and is not sent",
    )
    speaks: tuple[str, ...] | None = Field(
        None,
        max_length=20,
        description="The protocols that it serves, where these are not the kind's: `chat`, "
        "`completions`, `embeddings`, `responses`, `messages` and so on",
    )

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            _check_header(name)
            if not text.isascii():
                raise PydanticCustomError("header", "Has a value that is not ASCII")
        return {name.lower(): text for name, text in value.items()}

    @field_validator("key_header")
    @classmethod
    def _is_a_header(cls, value: str | None) -> str | None:
        if value is not None:
            _check_header(value)
        return value and value.lower()

    @field_validator("paths")
    @classmethod
    def _are_paths(cls, value: dict[str, str]) -> dict[str, str]:
        for path in value.values():
            if "?" in path or "#" in path or "://" in path or ".." in path:
                raise PydanticCustomError(
                    "path", "Should be a path below base_url, such as v1/chat/completions"
                )
            if set(_IN_PATH.findall(path)) - {"{model}"}:
                raise PydanticCustomError("path", "May name {model} and nothing else in braces")
        return {protocol: path.lstrip("/") for protocol, path in value.items()}

    @field_validator("aws_signature")
    @classmethod
    def _is_instead_of_a_header(
        cls, value: AwsSignature | None, info: ValidationInfo
    ) -> AwsSignature | None:
        if value is not None and info.data.get("key_header") is not None:
            raise PydanticCustomError("signed", "A key that signs calls is sent in no header")
        return value


def _check_header(name: str) -> None:
    if not _HEADER.match(name) or name.lower() in _RESERVED_HEADERS:
        raise PydanticCustomError(
            "header", "{name} is no header that can be set", {"name": repr(name)}
        )


UpstreamName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]

KEY_VARIABLE: Final = r"^FAREBOX_UPSTREAM_KEY_[A-Za-z0-9_]{1,100}$"


class UpstreamKey(Wire):
    """A key as it is given: itself, or the name of a variable of the API's environment."""

    secret: str | None = Field(
        None,
        min_length=1,
        max_length=4000,
        repr=False,
        description="The key itself, which is kept encrypted and never shown; null if "
        "`environment` names it.",
    )
    environment: str | None = Field(
        None, pattern=KEY_VARIABLE, description="Such as FAREBOX_UPSTREAM_KEY_MAIN"
    )

    @model_validator(mode="after")
    def _is_given_once(self) -> Self:
        if (self.secret is None) == (self.environment is None):
            raise PydanticCustomError("key", "Give either secret or environment")
        return self


class UpstreamPut(UpstreamTerms):
    """An upstream as it shall be. Without ``keys`` it keeps those that it has."""

    keys: tuple[UpstreamKey, ...] | None = Field(
        None,
        max_length=100,
        description="Needed again where `base_url` is another than it was, and where calls are "
        "signed from now on, or no longer",
    )

    @field_validator("keys")
    @classmethod
    def _can_call(
        cls, value: tuple[UpstreamKey, ...] | None, info: ValidationInfo
    ) -> tuple[UpstreamKey, ...] | None:
        secrets = (key.secret for key in value or () if key.secret is not None)
        check_keys(info.data.get("aws_signature"), secrets)
        return value


class UpstreamKeyInfo(Answer):
    """A key as it can be shown: never itself."""

    environment: str | None = Field(description="The variable that it is read from")
    last_four: str | None = Field(description="Of a key that is kept here, if it is long enough")


UpstreamState: TypeAlias = Literal["active", "disabled", "retired"]
"""Only an active one takes calls; a retired one has no keys any more, and stays for its name."""


class Upstream(UpstreamTerms):
    """An upstream that the gateway forwards to; ``settings`` are changed where the API is run."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str = Field(description="What the operator calls it: events and rates name it.")
    source: Literal["settings", "database"] = Field(
        description="Where it is set: in the API's `settings`, which are changed where it is "
        "run, or in the `database`."
    )
    state: UpstreamState = Field(
        description="`active` takes calls, `disabled` does not; a `retired` one has no keys "
        "any more and stays for its name."
    )
    keys: list[UpstreamKeyInfo] = Field(description="Its keys as they can be shown.")
    changed_at: Instant | None = Field(description="None of one in the settings")
    sole_models: list[str] = Field(
        description="Models that no other upstream would serve if this one took no calls"
    )
    health: UpstreamHealth = Field(description="How it fares, by all processes of the gateway.")
