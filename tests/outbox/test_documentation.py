"""What docs/notifications.md says: its examples are read as events, its code is run."""

from __future__ import annotations

import asyncio
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from backend.kit.addresses import webhook_secrets
from backend.outbox.channels.webhook import signature
from backend.settings import Settings
from backend_client.types.notifications import NotificationEvent, NotificationKind
from tests.outbox.conftest import SECRETS

pytestmark = pytest.mark.fast

DOCUMENT = (Path(__file__).parents[2] / "docs" / "notifications.md").read_text()
EVENT: TypeAdapter[NotificationEvent] = TypeAdapter(NotificationEvent)


@pytest.fixture(autouse=True)
def applied() -> None:
    """No database is needed here, and no catalog."""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)


def test_the_examples_are_what_is_sent() -> None:
    whole, others = (json.loads(block) for block in blocks("json"))
    examples = [whole, *({**whole, "type": kind, "data": others[kind]} for kind in others)]
    assert {example["type"] for example in examples} == {kind.value for kind in NotificationKind}
    for example in examples:
        sent = EVENT.validate_python(example).model_dump(mode="json")
        assert sent == example
        assert set(sent["data"]) == set(example["data"])


def test_the_table_has_every_kind() -> None:
    kinds = re.findall(r"^\| `([a-z_.]+)` \| ", DOCUMENT, re.MULTILINE)
    assert kinds == [kind.value for kind in NotificationKind]


def test_the_settings_are_there() -> None:
    named = set(re.findall(r"^\| `FAREBOX_([A-Z_]+)` \|", DOCUMENT, re.MULTILINE))
    assert {name.lower() for name in named} <= set(Settings.model_fields)
    assert len(named) == 5


async def test_the_code_verifies_a_signature() -> None:
    names: dict[str, Any] = {}
    await asyncio.to_thread(exec, blocks("python")[0], names)
    verify, now, body = names["verify"], int(time.time()), b'{"a": 1}'
    signed = [signature(key, "ntf_1", now, body) for key in webhook_secrets(" ".join(SECRETS))]
    headers = {
        "webhook-id": "ntf_1",
        "webhook-timestamp": str(now),
        "webhook-signature": " ".join(signed),
    }
    for secret in SECRETS:
        assert verify(secret, headers, body) == "ntf_1"
    with pytest.raises(ValueError, match="not signed"):
        verify(SECRETS[0], headers, body + b" ")
    with pytest.raises(ValueError, match="too old"):
        verify(SECRETS[0], {**headers, "webhook-timestamp": str(now - 301)}, body)
