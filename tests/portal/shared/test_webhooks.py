"""An endpoint and a delivery as their owner and the operator see them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from backend_client.types.notifications import NotificationKind
from backend_client.types.webhooks import (
    DisabledBecause,
    TenantWebhook,
    Webhook,
    WebhookDelivery,
    WebhookDeliveryState,
)
from portal.shared.webhooks.rows import delivery_row, endpoint_row

pytestmark = pytest.mark.fast

NOW = datetime(2026, 3, 4, 12, 0, 5, tzinfo=UTC)
WEBHOOK = {
    "id": "wh_1",
    "url": "https://example.com/hook",
    "description": "ours",
    "events": None,
    "enabled": True,
    "disabled_at": None,
    "disabled_because": None,
    "failing_since": None,
    "previous_until": None,
    "created_by": "usr_1",
    "created_at": NOW,
}


def test_an_endpoint_says_how_it_fares_and_why() -> None:
    fares = {
        (row.status, row.color, row.about.partition(" 4 Mar")[0])
        for change in (
            {},
            {"failing_since": NOW},
            {"failing_since": NOW, "disabled_because": DisabledBecause.GONE},
        )
        for row in [endpoint_row(Webhook.model_validate(WEBHOOK | change), "UTC")]
    }
    assert fares == {
        ("Active", "green", ""),
        ("Failing", "red", "Since"),
        ("Disabled", "gray", "Disabled: it answered that it is gone"),
    }


def test_the_operator_alone_gets_deliveries_counted() -> None:
    counted = WEBHOOK | {"waiting": 1_200, "failed": 0}
    row = endpoint_row(TenantWebhook.model_validate(counted), "UTC")
    assert (row.waiting, row.failed) == ("1,200", "0")
    own = endpoint_row(Webhook.model_validate(WEBHOOK), "UTC")
    assert (own.waiting, own.failed) == ("", "")


def test_a_delivery_says_when_it_is_tried_again_once_it_was_tried() -> None:
    def row(attempts: int) -> tuple[str, str, str]:
        delivery = WebhookDelivery(
            webhook_id="wh_1",
            event_id="evt_1",
            kind=NotificationKind.NOTIFICATION_TEST,
            occurred_at=NOW,
            state=WebhookDeliveryState.WAITING,
            attempts=attempts,
            next_attempt_at=NOW,
            delivered_at=None,
            reason="It answered 503." if attempts else None,
        )
        shown = delivery_row(delivery, "UTC")
        return shown.state, shown.tries, shown.about.partition(" 4 Mar")[0]

    assert row(0) == ("Waiting", "0 attempts", "")
    assert row(1)[:2] == ("Waiting", "1 attempt")
    assert row(1)[2].startswith("It answered 503. Next attempt")
    assert row(1_200)[1] == "1,200 attempts"
