"""When to try again, how addresses are read, what letters say and what no letter can."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import CheckConstraint

from backend.invoices.letters.wording import as_html, as_text, wording
from backend.kit.addresses import mail_sender, mailbox, smtp_server, webhook_secrets
from backend.kit.retry_after import asked_wait
from backend.outbox.channels.channel import Letter, NotDelivered
from backend.outbox.channels.mail import message_of
from backend.outbox.channels.webhook import signature
from backend.outbox.retrying import GIVE_UP_AFTER, delivery_pause, next_attempt
from backend.settings import Settings
from backend.storage.tables import notification_deliveries
from backend_client.types.notifications import (
    ChannelName,
    NotificationEvent,
    NotificationKind,
)
from tests.outbox.conftest import NOW, SECRETS

pytestmark = pytest.mark.fast


@pytest.fixture(autouse=True)
def applied() -> None:
    """No database is needed here, and no catalog."""


EVENT: TypeAdapter[NotificationEvent] = TypeAdapter(NotificationEvent)
SENDER = mail_sender("Sample seller <billing@seller.example>")
MAIL = {"smtp_url": "smtp://mail.example", "mail_from": "a@seller.example"}


def test_every_channel_may_be_stored() -> None:
    check = next(
        constraint
        for constraint in notification_deliveries.constraints
        if isinstance(constraint, CheckConstraint) and "channel IN" in str(constraint.sqltext)
    )
    stored = re.findall(r"'(\w+)'", str(check.sqltext))
    assert sorted(stored) == sorted(ChannelName)


def test_pauses_grow_to_eight_hours_and_fill_three_days() -> None:
    hours = [delivery_pause(attempt, 0.5).total_seconds() / 3600 for attempt in range(1, 30)]
    assert hours[0] * 3600 == pytest.approx(10)
    assert all(after == pytest.approx(min(before * 3, 8)) for before, after in pairwise(hours))
    assert hours[-1] == 8
    now, attempts = NOW, 1
    while (after := next_attempt(attempts, now, NOW + GIVE_UP_AFTER, 0.5)) is not None:
        now, attempts = after, attempts + 1
    assert timedelta(hours=64) < now - NOW <= GIVE_UP_AFTER
    assert attempts == 16


@pytest.mark.parametrize("attempts", [1, 5, 100_000])
def test_jitter_is_a_fifth_around(attempts: int) -> None:
    least, middle, most = (delivery_pause(attempts, chance) for chance in (0, 0.5, 1))
    assert (least / middle, most / middle) == (pytest.approx(0.8), pytest.approx(1.2))


def test_a_receiver_puts_off_and_never_hastens() -> None:
    end = NOW + GIVE_UP_AFTER
    asked = timedelta(hours=3)
    assert next_attempt(1, NOW, end, 0.5, asked) == NOW + asked
    assert next_attempt(1, NOW, end, 0.5, timedelta(seconds=-5)) == NOW + timedelta(seconds=10)
    assert next_attempt(1, NOW, end, 0.5, timedelta(days=100)) == NOW + timedelta(days=1)
    assert next_attempt(1, NOW, NOW + timedelta(hours=1), 0.5, asked) is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("120", 120),
        (" 5 ", 5),
        ("-5", None),
        ("1.5", 1.5),
        ("٣", 3),
        ("Mon, 04 May 2026 12:01:00 GMT", 60),
        ("Mon, 04 May 2026 11:00:00 GMT", -3600),
        ("tomorrow", None),
    ],
    ids=str,
)
def test_retry_after_is_read(header: str | None, seconds: float | None) -> None:
    wanted = None if seconds is None else timedelta(seconds=seconds)
    assert asked_wait(header, NOW) == wanted


def test_the_signature_is_the_specifications() -> None:
    """The example of the standard's own libraries."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    ("settings", "field", "why"),
    [
        ({"webhook_url": "ftp://a.example"}, "webhook_url", "https://example.com"),
        ({"webhook_url": "http://a.example/x"}, "webhook_url", "https:// unless"),
        ({"webhook_url": "https://"}, "webhook_url", "https://example.com"),
        ({"webhook_url": "https://a.example:port"}, "webhook_url", "[Pp]ort"),
        ({"webhook_url": "https://a.example"}, "webhook_secret", "FAREBOX_WEBHOOK_SECRET must be"),
        ({"webhook_secret": " "}, "webhook_secret", "give a secret"),
        ({"webhook_secret": "c2VjcmV0"}, "webhook_secret", "begins with whsec_"),
        ({"webhook_secret": "whsec_§"}, "webhook_secret", "base64"),
        ({"webhook_secret": "whsec_c2hvcnQ="}, "webhook_secret", "24 to 64 bytes"),
        ({"smtp_url": "smtp://a.example"}, "mail_from", "FAREBOX_MAIL_FROM must be"),
        ({**MAIL, "smtp_url": "mail.example"}, "smtp_url", "smtp://user"),
        ({**MAIL, "smtp_url": "smtp://u:hush@/x"}, "smtp_url", "smtp://user"),
        ({**MAIL, "smtp_url": "smtp://u:hush/word@host"}, "smtp_url", "port|follow"),
        ({**MAIL, "smtp_url": "smtp://host:99999"}, "smtp_url", "port"),
        ({**MAIL, "mail_from": "nobody"}, "mail_from", "Example <billing"),
        ({**MAIL, "mail_from": "a@b.example, c@d.example"}, "mail_from", "Example <billing"),
        ({**MAIL, "mail_from": "X\r\nBcc: e@e.example <a@b.example>"}, "mail_from", "Example"),
        ({"notification_days": 0}, "notification_days", "greater than 0"),
    ],
    ids=str,
)
def test_a_wrong_setting_is_named_without_what_is_in_it(
    settings: dict[str, Any], field: str, why: str
) -> None:
    with pytest.raises(ValidationError, match=why) as refused:
        Settings.model_validate(settings)
    assert [error["loc"] for error in refused.value.errors()] == [(field,)]
    for secret in ("hush", "c2VjcmV0", "c2hvcnQ"):
        assert secret not in str(refused.value)


def test_right_settings_are_read() -> None:
    assert len(webhook_secrets(" ".join(SECRETS))) == 2
    far = smtp_server("smtp://us%40er:p%2Fw@mail.example")
    assert (far.host, far.port, far.encryption) == ("mail.example", 587, "starttls")
    assert (far.user, far.password) == ("us@er", "p/w")
    for text, shown in (
        ("a@b.example", "a@b.example"),
        ('"Sample, Inc." <a@b.example>', '"Sample, Inc." <a@b.example>'),
        ("Söhne <a@b.example>", "Söhne <a@b.example>"),
    ):
        assert str(mail_sender(text)) == shown
    assert "p/w" not in repr(far)
    assert smtp_server("smtps://mail.example").port == 465
    assert smtp_server("smtps://localhost").encryption == "tls"
    near = smtp_server("smtp://[::1]:25")
    assert (near.host, near.port, near.encryption) == ("::1", 25, "none")
    shown = repr(Settings.model_validate({**MAIL, "webhook_secret": SECRETS[0]}))
    assert SECRETS[0] not in shown


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("ann@example.com", "ann@example.com"),
        ("ann.o'hara+x@mail.example", "ann.o'hara+x@mail.example"),
        ("bob@exämple.com", "bob@xn--exmple-cua.com"),
        *((wrong, None) for wrong in ("", "ann", "@", "a@", "@b", "a@b@c", "a b@c", "a@b c")),
        *(
            (wrong, None)
            for wrong in ("a@b,c@d", "<a@b>", '"a"@b', "a@b\n", "a\r@b", "é@b", "a@b..c")
        ),
        (f"{'a' * 250}@b.example", None),
    ],
    ids=repr,
)
def test_one_bare_address_and_nothing_else(text: str, read: str | None) -> None:
    assert mailbox(text) == read


DATA: dict[str, dict[str, Any]] = {
    "invoice.paid": {
        "invoice_id": "inv_1",
        "number": "FB-a-1",
        "issued_at": NOW,
        "paid_at": NOW,
        "total": {"amount": "31.00", "currency": "USD"},
        "paid": {"amount": "21.00", "currency": "USD"},
        "credited": {"amount": "10.00", "currency": "USD"},
    },
    "invoice.payment_returned": {
        "invoice_id": "inv_1",
        "number": "FB-a-1",
        "amount": {"amount": "21.00", "currency": "USD"},
        "method": "sepa",
        "reference": "R-1",
        "returned_at": NOW,
        "due_at": NOW,
        "due": {"amount": "21.00", "currency": "USD"},
        "fee": {"amount": "5.00", "currency": "USD"},
    },
    "credit_note.issued": {
        "credit_note_id": "crn_1",
        "number": "FB-a-CN-1",
        "invoice_id": "inv_1",
        "invoice_number": "FB-a-1",
        "reason": '<slow> & "late"',
        "issued_at": NOW,
        "total": {"amount": "10.00", "currency": "USD"},
        "to_balance": {"amount": "4.00", "currency": "USD"},
    },
    "wallet.low_balance": {
        "balance": {"amount": "4.123456", "currency": "EUR"},
        "low_balance": {"amount": "5", "currency": "EUR"},
    },
    "wallet.top_up_failed": {
        "top_up_id": "top_1",
        "amount": {"amount": "20", "currency": "USD"},
        "automatic": True,
        "reference": "ch_1",
    },
    "department.budget_reached": {
        "month": "2026-03-01",
        "code": "4711",
        "name": "Search",
        "percent": 80,
        "budget": {"amount": "2000.00", "currency": "USD"},
        "spent": {"amount": "1612.40", "currency": "USD"},
    },
    "quota.reached": {
        "meters": ["input_tokens", "output_tokens"],
        "percent": 80,
        "quantity": "1000000",
        "used": "812345",
        "resets_at": NOW,
    },
    "key.budget_reached": {
        "key_id": "key_1",
        "name": "Batch",
        "percent": 100,
        "budget": {"amount": "50", "currency": "USD"},
        "used": {"amount": "50.01234", "currency": "USD"},
        "resets_at": NOW,
    },
    "webhook.disabled": {
        "webhook_id": "whk_1",
        "url": "https://hooks.example.com/a",
        "failing_since": NOW,
        "reason": "The endpoint answered 500.",
    },
    "budget.reached": {
        "of": "label",
        "id": "lbd_1",
        "name": "team=search",
        "percent": 80,
        "limit": "soft",
        "period": "month",
        "budget": {"amount": "50", "currency": "USD"},
        "spent": {"amount": "40.0000125", "currency": "USD"},
        "start": NOW,
        "resets_at": NOW,
    },
    "invitation.created": {
        "invitation_id": "ivt_1",
        "email": "ann@mail.example",
        "role": "owner",
        "tenant_name": "Acme <& Sons>",
        "sign_in_url": "https://portal.example/sign-in/",
        "expires_at": NOW,
    },
    "key.leaked": {
        "key_id": "key_1",
        "key_name": "web",
        "key_shown": "fb_live_…ab12",
        "outcome": "revoked",
        "url": "https://code.example/acme/app?a=1&b=2",
        "source": "commit",
        "keys_url": "https://portal.example/keys/",
    },
}
TOLD = {
    "invoice.paid": ["nothing is left to pay of invoice FB-a-1", "21.00 USD", "10.00 USD"],
    "invoice.payment_returned": ["Your payment of 21.00 USD by sepa", "A fee of 5.00 USD"],
    "credit_note.issued": ["credit note FB-a-CN-1", "4.00 USD of it were paid already"],
    "wallet.low_balance": ["fallen below 5 EUR", "4.123456 EUR"],
    "wallet.top_up_failed": ["A payment of 20 USD", "wallet's rule", "ch_1"],
    "department.budget_reached": ["Search (4711) has spent 80% of its budget", "1,612.40 USD"],
    "quota.reached": ["80% of your plan's quota of input_tokens and output_tokens", "812,345"],
    "key.budget_reached": ["The API key Batch has spent all of its budget", "50.01234 USD"],
    "webhook.disabled": ["your webhook https://hooks.example.com/a since", "answered 500"],
    "budget.reached": ["The label team=search has used 80% of its budget", "40.0000125 USD"],
    "invitation.created": ["as owner", "https://portal.example/sign-in/"],
    "key.leaked": ["API key web was found", "revoked", "fb_live_…ab12", "https://portal.example/"],
}


@pytest.mark.parametrize("kind", TOLD)
def test_what_letters_say(kind: str) -> None:
    event = EVENT.validate_python(
        {"id": "ntf_1", "type": kind, "timestamp": NOW, "tenant_id": "ten_1", "data": DATA[kind]}
    )
    said = wording(event, None, "Sample seller")
    text, html = (form(said, "Hello Ann,", "Sample seller") for form in (as_text, as_html))
    assert "Sample seller" in said.subject
    for words in TOLD[kind]:
        assert words in text
        assert words.replace("'", "&#x27;") in html
    if kind == "credit_note.issued":
        assert '<slow> & "late"' in text
        assert "&lt;slow&gt; &amp; &quot;late&quot;" in html


def test_every_kind_is_an_event() -> None:
    kinds = EVENT.json_schema()["discriminator"]["mapping"]
    assert set(kinds) == {kind.value for kind in NotificationKind}


def test_times_are_utc_on_the_wire() -> None:
    event = EVENT.validate_python(
        {
            "id": "ntf_1",
            "type": "wallet.low_balance",
            "timestamp": datetime.fromisoformat("2026-05-04T14:00:00+02:00"),
            "tenant_id": "ten_1",
            "data": DATA["wallet.low_balance"],
        }
    )
    assert event.timestamp.tzinfo is UTC
    assert '"timestamp":"2026-05-04T12:00:00Z"' in event.model_dump_json()


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\x0b", "\u2028", "\0"], ids=repr)
def test_no_text_can_end_a_header(end: str) -> None:
    words = f"Invoice{end}Bcc: evil@evil.example"
    letter = Letter(("ann@a.example",), words, words, words)
    message = message_of(letter, SENDER, "ntf_1", NOW)
    assert message["Bcc"] is None
    assert "\nBcc:" not in message.as_bytes().decode().partition("\n\n")[0]
    for wrong in (f"a@a.example{end}", f"{end}a@a.example", f"a{end}@a.example"):
        with pytest.raises(NotDelivered):
            message_of(Letter((wrong,), "", "", ""), SENDER, "ntf_1", NOW)
