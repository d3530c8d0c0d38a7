"""Amberflo's webhook: a header of ours makes it known, and it says which invoice is ready. Pure.

It is not signed (https://docs.amberflo.io/docs/invoice-ready-webhook): whoever knows the header can
have an invoice looked at, and no more.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from backend.platforms.adapter import Message
from backend.platforms.errors import WebhookRefused

HEADER: Final = "x-auth"
READY: Final = "ready-product-invoices"
"""The topic of invoices that are to be paid."""


def message_from(headers: Mapping[str, str], raw: bytes, secrets: Sequence[bytes]) -> Message:
    """Return what a webhook is about; raise ``WebhookRefused`` if it is not from Amberflo."""
    sent = headers.get(HEADER, "").encode()
    # All are compared, so that the time does not tell which one came close
    if True not in {hmac.compare_digest(sent, secret) for secret in secrets}:
        raise WebhookRefused("Its X-Auth header is missing or wrong.")
    try:
        document = json.loads(raw)
        topic = str(document["topic"])
        object_id = str(document["data"]["invoiceUri"]) if topic == READY else ""
        sent_at = datetime.fromtimestamp(int(document["eventTime"]) / 1000, UTC)
        return Message(str(document["eventId"]), topic, object_id, sent_at, wanted=topic == READY)
    except (ValueError, KeyError, TypeError, OverflowError, OSError) as error:
        raise WebhookRefused("It is no event of Amberflo's.") from error
