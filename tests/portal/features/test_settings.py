"""Applications, invitations and notifications in rows, and what their forms ask for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import TypeAdapter

from backend_client.types.accounts import Application, Role
from backend_client.types.notifications import (
    ChannelName,
    Delivery,
    DeliveryState,
    Notification,
    NotificationEvent,
    NotificationState,
)
from backend_client.types.usage import Granularity, UsageReport
from portal.features.applications.rows import (
    application_from_form,
    application_rows,
    usage_query,
)
from portal.features.notifications.rows import (
    ANY,
    delivery_rows,
    filter_from,
    notification_row,
    with_event,
)
from portal.features.team.rows import invitation_from_form
from portal.kit.form_problems import FormProblems
from tests.portal.features.test_keys import key

pytestmark = pytest.mark.fast

NOW = datetime(2026, 3, 1, 12, 7, tzinfo=UTC)


def usage(*rows: tuple[str, str, int]) -> UsageReport:
    return UsageReport(
        start=NOW,
        end=NOW,
        granularity=Granularity.TOTAL,
        time_zone="UTC",
        rows=[
            {
                "start": NOW,
                "meter": meter,
                "application": application,
                "quantity": Decimal(quantity),
                "event_count": 1,
            }
            for application, meter, quantity in rows
        ],
        version=1,
        last_event_at=None,
    )


def test_applications_have_the_keys_that_work_and_their_usage() -> None:
    applications = [
        Application(id="app_0", name="Past", created_at=NOW, archived_at=NOW),
        Application(id="app_1", name="Web", created_at=NOW),
    ]
    keys = [
        key("a"),
        key("b", revoked_at=NOW),
        key("c", expires_at=NOW - timedelta(days=1)),
        key("d", application_id="app_0", expires_at=NOW + timedelta(days=1)),
    ]
    report = usage(
        ("app_1", "requests", 1500),
        ("app_1", "input_tokens", 20),
        ("app_1", "output_tokens", 3),
    )
    web, past = application_rows(applications, keys, report, NOW, "UTC")
    assert (web.name, web.keys_text, web.archived) == ("Web", "1 key", "")
    assert (web.requests, web.tokens) == ("1.5K", "23")
    assert (past.name, past.keys_text, past.requests) == ("Past", "1 key", "0")
    assert past.archived == "1 Mar 2026"
    assert "application=app_1" in web.its_keys
    assert "application=app_1" in web.its_usage


def test_usage_beside_applications_is_asked_on_quarter_hours() -> None:
    query = usage_query(NOW)
    assert query["end"] == datetime(2026, 3, 1, 12, 15, tzinfo=UTC)
    assert query["start"] == datetime(2026, 1, 30, 12, 15, tzinfo=UTC)


@pytest.mark.parametrize("name", ["", "   ", "x" * 101])
def test_an_application_needs_a_name(name: str) -> None:
    with pytest.raises(FormProblems) as raised:
        application_from_form({"name": name})
    assert set(raised.value.by_field) == {"name"}
    assert application_from_form({"name": " Web "}).name == "Web"


def test_an_invitation_is_for_an_address_or_for_whoever_has_the_link() -> None:
    form = {"role": "viewer", "email": "", "note": "Ada", "expiry": "30"}
    wanted = invitation_from_form(form)
    assert (wanted.role, wanted.email, wanted.note) == (Role.VIEWER, None, "Ada")
    assert wanted.expires_in_seconds == 30 * 24 * 3600
    with pytest.raises(FormProblems) as raised:
        invitation_from_form({**form, "email": "nobody", "expiry": "never"})
    assert set(raised.value.by_field) == {"email"}


EVENT: TypeAdapter[NotificationEvent] = TypeAdapter(NotificationEvent)


def notification(*deliveries: Delivery, **changes: Any) -> Notification:
    event = {
        "id": "ntf_1",
        "type": "notification.test",
        "timestamp": NOW,
        "tenant_id": "ten_1",
        "data": {"message": "A test."},
    }
    values = {
        "id": "ntf_1",
        "state": NotificationState.FAILED,
        "event": EVENT.validate_python(event),
        "deliveries": list(deliveries),
    }
    return Notification(**values | changes)


def delivery(state: DeliveryState, **changes: Any) -> Delivery:
    values: dict[str, Any] = {
        "channel": ChannelName.WEBHOOK,
        "state": state,
        "attempts": 1,
        "next_attempt_at": None,
        "delivered_at": None,
        "reason": None,
    }
    return Delivery(**values | changes)


def test_a_notification_says_how_each_channel_went() -> None:
    failed = delivery(DeliveryState.FAILED, attempts=16, reason="The endpoint answered 500")
    mailed = delivery(DeliveryState.DELIVERED, channel=ChannelName.EMAIL, delivered_at=NOW)
    both = notification(failed, mailed)
    row = notification_row(both, {"ten_1": "Acme"}, "UTC")
    assert (row.customer, row.state, row.color) == ("Acme", "Failed", "red")
    assert row.summary == "Webhook: given up (16 tries) · E-mail: delivered"
    assert row.json == ""
    assert '"message": "A test."' in with_event(row, both).json
    webhook, mail = delivery_rows(both, "Europe/Berlin")
    assert (webhook.reason, webhook.when) == ("The endpoint answered 500", "")
    assert mail.when == "Delivered 1 Mar 2026, 13:07:00"
    assert notification_row(both, {}, "UTC").customer == "ten_1"


def test_an_address_asks_for_known_kinds_and_states_alone() -> None:
    asked = filter_from({"kind": "invoice.paid", "state": "waiting", "tenant": " acme "})
    assert asked.query == {"kind": "invoice.paid", "state": "waiting", "tenant": "acme"}
    strange = filter_from({"kind": "<b>", "state": ""})
    assert (strange.kind, strange.state, strange.query) == (ANY, ANY, {})
