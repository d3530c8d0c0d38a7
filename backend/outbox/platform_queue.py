"""What billing platforms are to be sent, recorded in the transaction of what happened.

As with notices: what is rolled back is never sent, and what is committed is never lost. Rooms
record facts here; ``platforms`` sends them. A tenant that is on no platform leaves nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import DateTime, Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.ids import new_id


class Action(StrEnum):
    """What the platform is to do."""

    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"
    SETTLE = "settle"
    """Take note of what was paid elsewhere."""
    VOID = "void"
    WRITE_OFF = "write_off"
    TOP_UP = "top_up"
    SUBSCRIBE = "subscribe"
    UNSUBSCRIBE = "unsubscribe"
    USAGE = "usage"


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened to ``own_id``.

    What has the same ``subject`` is sent in order. The platform is the one that the tenant was on
    at ``at``: for whatever happens to an invoice, when that was issued. Where the platform rates
    usage it is told of top-ups alone: there are no invoices of ours.
    """

    tenant_id: str
    action: Action
    subject: str
    own_id: str
    at: datetime


_RECORD: Final = text(
    """
    INSERT INTO platform_dispatches
        (tenant_id, id, platform, stream, action, fact, subject, data, next_attempt_at)
    SELECT fact.tenant_id, fact.id, connection.platform, 'documents', fact.action,
        fact.action || ':' || fact.own_id, fact.subject,
        jsonb_build_object('own_id', fact.own_id), now()
    FROM unnest(:tenants, :ids, :actions, :subjects, :own_ids, :moments) WITH ORDINALITY
        AS fact (tenant_id, id, action, subject, own_id, at, place)
    JOIN platform_connections AS connection
        ON connection.tenant_id = fact.tenant_id
        AND (connection.mode = 'invoices' OR fact.action = 'top_up')
        AND connection.starts_at <= fact.at
        AND (connection.ends_at IS NULL OR fact.at < connection.ends_at)
    ORDER BY fact.place
    ON CONFLICT (tenant_id, platform, fact) DO NOTHING
    """
).bindparams(
    bindparam("tenants", type_=ARRAY(Text)),
    bindparam("ids", type_=ARRAY(Text)),
    bindparam("actions", type_=ARRAY(Text)),
    bindparam("subjects", type_=ARRAY(Text)),
    bindparam("own_ids", type_=ARRAY(Text)),
    bindparam("moments", type_=ARRAY(DateTime(timezone=True))),
)


async def enqueue_for_platforms(connection: AsyncConnection, facts: Sequence[Fact]) -> None:
    """Record facts, in the caller's transaction; repeating one changes nothing."""
    if not facts:
        return
    await connection.execute(
        _RECORD,
        {
            "tenants": [fact.tenant_id for fact in facts],
            "ids": [new_id("dsp") for _ in facts],
            "actions": [fact.action.value for fact in facts],
            "subjects": [fact.subject for fact in facts],
            "own_ids": [fact.own_id for fact in facts],
            "moments": [fact.at for fact in facts],
        },
    )
