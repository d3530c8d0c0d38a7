"""The keys of the API's seller."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from backend_client.types.common import Answer, Instant, Wire


class OperatorScope(StrEnum):
    """What an operator's key may be used for.

    ``ingest`` sends usage events of any tenant. ``read`` reads all tenants. ``billing`` changes
    what they pay: plans, contracts, credit, invoices, corrections. ``admin`` manages tenants,
    catalog, keys and the pipeline, and reads the audit. The last two read as well.
    """

    INGEST = "ingest"
    READ = "read"
    BILLING = "billing"
    ADMIN = "admin"


class OperatorKey(Answer):
    """An operator's key as it can be shown: never its secret."""

    id: str
    name: str
    prefix: str = Field(description="The first characters of the key, such as fb_oper_")
    last_four: str
    scopes: list[OperatorScope]
    created_at: Instant
    expires_at: Instant | None
    revoked_at: Instant | None
    last_used_at: Instant | None = Field(description="To the minute")


class OperatorKeyCreate(Wire):
    """What is given to make an operator's key; nobody gives a scope that they don't have."""

    name: str = Field(
        min_length=1,
        max_length=100,
        description="What people know it by; programs need only its id.",
    )
    scopes: list[OperatorScope] = Field(
        min_length=1,
        description="What may be done with it; nobody can give a scope that they don't have.",
    )
    expires_at: Instant | None = None


class OperatorKeyCreated(OperatorKey):
    """An operator's key with its secret, which is shown this once and kept nowhere."""

    secret: str = Field(repr=False)
