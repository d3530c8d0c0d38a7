"""E-mail to a real server: what arrives, who gets it, what a refusal means, and TLS."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import text, update

from backend.accounts.members.members import add_member, upsert_user
from backend.customers.profiles import set_details
from backend.ids import new_id
from backend.invoices.corrections.credit_notes import credit
from backend.invoices.corrections.voiding import void
from backend.invoices.payments.reminders import remind
from backend.invoices.settling import record_payment
from backend.kit.addresses import mail_sender, smtp_server
from backend.outbox.channels.channel import Channel, Letter, NotDelivered
from backend.outbox.channels.mail import Mail
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import billing_profiles
from backend_client.types.accounts import Role, Tenant
from backend_client.types.invoices import (
    BillingDetails,
    CreditNoteCreate,
    PaymentRecord,
    VoidInvoice,
)
from backend_client.types.notifications import NotificationEvent, NotificationState
from tests.outbox.channels.test_webhook import an_event
from tests.outbox.conftest import NOW, Clock, deliver, found, recorded, tell_of_top_up
from tests.outbox.servers import MailServer, taking_mail
from tests.support.invoices import APRIL, GRACE, invoices_of, run_invoices, subscribed

pytestmark = pytest.mark.engine

SENDER = mail_sender("Sample seller <billing@seller.example>")


async def billed_at(database: Database, tenant: Tenant, email: str | None, **more: Any) -> None:
    async with database.begin() as connection:
        await set_details(connection, tenant.id, BillingDetails(email=email, **more))


async def billed_at_any(database: Database, tenant: Tenant, email: str | None) -> None:
    """As it may have been taken before addresses were looked at."""
    await billed_at(database, tenant, "ann@a.example")
    async with database.begin() as connection:
        await connection.execute(
            update(billing_profiles)
            .where(billing_profiles.c.tenant_id == tenant.id)
            .values(email=email)
        )


async def member(database: Database, tenant: Tenant, email: str | None, role: Role) -> None:
    async with database.begin() as connection:
        user = await upsert_user(
            connection, issuer="test", subject=new_id("usr"), name="Person", email=email
        )
        await add_member(connection, tenant.id, user, role)


def read(pdf: bytes) -> str:
    document = pypdfium2.PdfDocument(pdf)
    return "\n".join(page.get_textpage().get_text_bounded() for page in document)


async def test_an_invoice_is_sent_with_its_pdf_and_reminded_of_until_it_is_paid(
    database: Database,
    tenant: Tenant,
    settings: Settings,
    channels: list[Channel],
    mail_server: MailServer,
    clock: Clock,
) -> None:
    await billed_at(database, tenant, "ann@customer.example", name="Anns Öl & Söhne <GmbH>")
    await run_invoices(database, settings, APRIL + GRACE)
    await deliver(database, channels, clock)
    [row] = await invoices_of(database, tenant)
    number = row["number"]
    [mail] = mail_server.mails
    assert (mail.sender, mail.recipients) == ("billing@seller.example", ["ann@customer.example"])
    assert mail.message["From"] == "Sample seller <billing@seller.example>"
    assert mail.message["To"] == "ann@customer.example"
    assert mail.subject == f"Invoice {number} from Sample seller"
    assert mail.message["Auto-Submitted"] == "auto-generated"
    [issued] = await recorded(database)
    assert mail.message["Message-ID"] == f"<{issued.id}@seller.example>"
    plain, html = mail.part("plain"), mail.part("html")
    assert "Hello Anns Öl & Söhne <GmbH>," in plain
    assert "Hello Anns Öl &amp; Söhne &lt;GmbH&gt;," in html
    for phrase in ("Please pay 31.00 USD by 2 May 2026.", "Sample bank, account 1", str(number)):
        assert phrase in plain
        assert phrase in html
    assert list(mail.files) == [f"{number}.pdf"]
    assert str(number) in read(mail.files[f"{number}.pdf"])

    due_at = issued.event.data.due_at
    async with database.begin() as connection:
        part = PaymentRecord(amount=Decimal("11.50"), method="transfer", reference="part")
        await record_payment(connection, tenant.id, str(row["id"]), part, NOW)
        await remind(connection, settings, due_at + timedelta(days=1))
    await deliver(database, channels, clock)
    reminder = mail_server.mails[-1]
    assert reminder.subject.startswith("Reminder: invoice")
    assert "19.50 USD of invoice" in reminder.part("plain")
    assert list(reminder.files) == [f"{number}.pdf"]

    async with database.begin() as connection:
        await remind(connection, settings, due_at + timedelta(days=21))
    await deliver(database, channels, clock)
    # It came to the step "warn" too; one letter says all
    suspended = mail_server.mails[-1]
    assert suspended.subject.startswith("Calls are suspended: invoice")
    warned = next(
        notification
        for notification in await recorded(database)
        if "warn" in notification.model_dump_json()
    )
    assert warned.deliveries[0].reason == "The invoice has come to the step 'suspend' by now."
    assert len(mail_server.mails) == 3

    async with database.begin() as connection:
        rest = PaymentRecord(amount=Decimal("19.50"), method="transfer", reference="rest")
        await record_payment(connection, tenant.id, str(row["id"]), rest, NOW)
    await deliver(database, channels, clock)
    thanks = mail_server.mails[-1]
    assert thanks.subject == f"Invoice {number} from Sample seller is paid"
    assert thanks.files == {}
    assert len(mail_server.mails) == 4


async def test_a_paid_invoice_is_not_reminded_of_nor_a_void_one_sent(
    database: Database,
    tenant: Tenant,
    settings: Settings,
    channels: list[Channel],
    mail_server: MailServer,
    clock: Clock,
) -> None:
    await billed_at(database, tenant, "ann@customer.example")
    await run_invoices(database, settings, APRIL + GRACE)
    await deliver(database, channels, clock)
    [row] = await invoices_of(database, tenant)
    async with database.begin() as connection:
        await remind(connection, settings, row["due_at"] + timedelta(days=1))
        paid = PaymentRecord(amount=Decimal(31), method="transfer", reference="all")
        await record_payment(connection, tenant.id, str(row["id"]), paid, NOW)
    await run_invoices(database, settings, APRIL + timedelta(days=35))
    second = (await invoices_of(database, tenant))[1]
    async with database.begin() as connection:
        await void(connection, settings, tenant, str(second["id"]), VoidInvoice(reason="no"), NOW)
    await deliver(database, channels, clock)
    assert [mail.part("plain").count("overdue") for mail in mail_server.mails] == [0, 0]
    skipped = {
        notification.event.type: [(each.state, each.reason) for each in notification.deliveries]
        for notification in await recorded(database)
        if any(each.state == "skipped" for each in notification.deliveries)
    }
    assert skipped == {
        "invoice.reminder": [
            ("skipped", "The invoice is paid by now."),
            ("delivered", None),
        ],
        "invoice.finalized": [("skipped", "The invoice has become void."), ("delivered", None)],
    }
    # The operator was told of all, so nothing is left to do
    assert {notification.state for notification in await recorded(database)} == {
        NotificationState.DELIVERED
    }


async def test_what_is_settled_by_a_credit_note_is_one_letter(
    database: Database,
    tenant: Tenant,
    settings: Settings,
    channels: list[Channel],
    mail_server: MailServer,
    clock: Clock,
) -> None:
    await billed_at(database, tenant, "ann@customer.example")
    await run_invoices(database, settings, APRIL + GRACE)
    [row] = await invoices_of(database, tenant)
    async with database.begin() as connection:
        wanted = CreditNoteCreate(reason="slow days")
        await credit(connection, settings, tenant, str(row["id"]), wanted, NOW)
    await deliver(database, channels, clock)
    subjects = {mail.subject for mail in mail_server.mails}
    assert subjects == {
        f"Invoice {row['number']} from Sample seller",
        f"Credit note FB-{tenant.slug}-CN-000001 from Sample seller",
    }


async def test_a_letter_holds_nothing_of_another_tenants(
    database: Database,
    settings: Settings,
    channels: list[Channel],
    mail_server: MailServer,
    clock: Clock,
) -> None:
    tenants = [
        await subscribed(database, name=f"name-{mark}", slug=f"slug-{mark}") for mark in "abc"
    ]
    for tenant, mark in zip(tenants, "abc", strict=True):
        await billed_at(
            database,
            tenant,
            f"mail-{mark}@customer.example",
            name=f"legal-{mark}",
            address=[f"street-{mark}"],
        )
        await member(database, tenant, f"member-{mark}@customer.example", Role.OWNER)
    await run_invoices(database, settings, APRIL + GRACE)
    async with database.begin() as connection:
        await remind(connection, settings, APRIL + timedelta(days=60))
    await deliver(database, channels, clock)
    assert len(mail_server.mails) == 3 * 2
    for mail in mail_server.mails:
        [to] = mail.recipients
        mark = to[len("mail-")]
        whole = mail.whole + "".join(map(read, mail.files.values()))
        assert {f"legal-{mark}", f"slug-{mark}"} <= {
            f"{word}-{tenant_mark}"
            for word in ("legal", "slug")
            for tenant_mark in "abc"
            if f"{word}-{tenant_mark}" in whole
        }
        for other in set("abc") - {mark}:
            for word in ("name", "slug", "mail", "legal", "street", "member"):
                assert f"{word}-{other}" not in whole
        other_ids = {tenant.id for tenant in tenants} - {tenants["abc".index(mark)].id}
        assert not any(tenant_id in whole for tenant_id in other_ids)


@pytest.mark.parametrize(
    ("email", "people", "to"),
    [
        ("ann@a.example", [("bob@a.example", Role.BILLING)], ["ann@a.example"]),
        (None, [("bob@a.example", Role.BILLING), ("o@a.example", Role.OWNER)], ["bob@a.example"]),
        (None, [("o@a.example", Role.OWNER), ("d@a.example", Role.DEVELOPER)], ["o@a.example"]),
        (None, [(None, Role.BILLING), ("o@a.example", Role.OWNER)], ["o@a.example"]),
        ("a@b.example, c@d.example", [("o@a.example", Role.OWNER)], ["o@a.example"]),
        ("x@y.example>\r\nRCPT TO:<z@z.example", [], None),
        (" bob@exämple.example ", [], ["bob@xn--exmple-cua.example"]),
        ("böb@a.example", [("o@a.example", Role.OWNER)], ["o@a.example"]),
        (None, [("d@a.example", Role.ADMIN)], None),
    ],
    ids=str,
)
async def test_who_is_written_to(
    database: Database,
    tenant: Tenant,
    settings: Settings,
    channels: list[Channel],
    mail_server: MailServer,
    clock: Clock,
    email: str | None,
    people: list[tuple[str | None, Role]],
    to: list[str] | None,
) -> None:
    await billed_at_any(database, tenant, email)
    for address, role in people:
        await member(database, tenant, address, role)
    await run_invoices(database, settings, APRIL + GRACE)
    await deliver(database, channels, clock)
    assert [mail.recipients for mail in mail_server.mails] == ([to] if to else [])
    [notification] = await recorded(database)
    if to is None:
        assert notification.state is NotificationState.FAILED
        assert "Nobody has an address" in str(notification.deliveries[0].reason)


async def test_a_removed_tenants_invoice_is_sent_to_where_it_says(
    database: Database,
    tenant: Tenant,
    settings: Settings,
    channels: list[Channel],
    mail_server: MailServer,
    clock: Clock,
) -> None:
    await billed_at(database, tenant, "ann@customer.example")
    await run_invoices(database, settings, APRIL + GRACE)
    async with database.begin() as connection:
        await connection.execute(text("DELETE FROM tenants"))
    await deliver(database, channels, clock)
    assert [mail.recipients for mail in mail_server.mails] == [["ann@customer.example"]]


async def test_the_operators_business_is_not_the_customers(
    database: Database,
    tenant: Tenant,
    channels: list[Channel],
    mail_server: MailServer,
    clock: Clock,
) -> None:
    await billed_at(database, tenant, "ann@customer.example")
    await tell_of_top_up(database, tenant.id)
    await deliver(database, channels, clock)
    assert mail_server.mails == []
    [notification] = await recorded(database)
    assert [each.channel for each in notification.deliveries] == ["webhook"]


async def test_a_refusal_for_now_is_tried_again_and_one_for_good_is_not(
    database: Database,
    tenant: Tenant,
    settings: Settings,
    channels: list[Channel],
    mail_server: MailServer,
    clock: Clock,
) -> None:
    await billed_at(database, tenant, "ann@customer.example")
    await run_invoices(database, settings, APRIL + GRACE)
    mail_server.refusals = ["451 try later"]
    await deliver(database, channels, clock)
    [notification] = await recorded(database)
    assert notification.deliveries[0].reason == "It was refused: 451 try later"
    mail_server.refusals = ["554 we think it is spam"]
    clock.pass_by(timedelta(minutes=1))
    await deliver(database, channels, clock)
    notification = await found(database, notification.id)
    assert (notification.state, notification.deliveries[0].attempts) == (
        NotificationState.FAILED,
        2,
    )
    assert notification.deliveries[0].reason == "It was refused: 554 we think it is spam"
    assert mail_server.begun == 2


async def test_it_comes_again_under_the_same_message_id(
    database: Database,
    tenant: Tenant,
    settings: Settings,
    channels: list[Channel],
    mail_server: MailServer,
    clock: Clock,
) -> None:
    await billed_at(database, tenant, "ann@customer.example")
    await run_invoices(database, settings, APRIL + GRACE)
    await deliver(database, channels, clock)
    async with database.begin() as connection:
        await connection.execute(
            text("UPDATE notification_deliveries SET state = 'waiting', delivered_at = NULL")
        )
    clock.pass_by(timedelta(hours=1))
    await deliver(database, channels, clock)
    first, again = mail_server.mails
    assert first.message["Message-ID"] == again.message["Message-ID"]
    assert (first.message["Date"], first.files) == (again.message["Date"], again.files)


class OneLetter:
    """Writes the same letter whatever happened."""

    def __init__(self, *to: str) -> None:
        self.letter = Letter(to or ("ann@a.example",), "Subject", "Text", "<p>Text</p>")

    def wants(self, event: NotificationEvent) -> bool:
        return True

    async def write(self, event: NotificationEvent) -> Letter:
        return self.letter

    async def close(self) -> None:
        """Nothing to let go."""


async def sent(url: str, *to: str) -> None:
    await Mail(smtp_server(url), SENDER, OneLetter(*to)).send(an_event())


async def test_who_is_unknown_and_who_is_not(mail_server: MailServer) -> None:
    url = f"smtp://localhost:{mail_server.port}"
    mail_server.unknown = {"a@a.example": "550 no such user", "b@a.example": "450 full"}
    await sent(url, "a@a.example", "c@a.example")
    assert [mail.recipients for mail in mail_server.mails] == [["c@a.example"]]
    with pytest.raises(NotDelivered) as refused:
        await sent(url, "a@a.example")
    assert (refused.value.final, refused.value.reason) == (
        True,
        "No recipient was accepted: 550 no such user",
    )
    with pytest.raises(NotDelivered) as refused:
        await sent(url, "a@a.example", "b@a.example")
    assert not refused.value.final


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's context for 0.0.0.0, and the file by which clients trust it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail.test")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(0))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "certificate.pem"
    pem.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    private = tmp_path / "key.pem"
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem, private)
    return context, pem


# 0.0.0.0 is this machine to the kernel, but no loopback address: a stranger, to Farebox


async def test_a_stranger_that_does_not_encrypt_gets_nothing(mail_server: MailServer) -> None:
    with pytest.raises(NotDelivered, match="SMTPException") as refused:
        await sent(f"smtp://0.0.0.0:{mail_server.port}")
    assert not refused.value.final
    assert mail_server.mails == []


@pytest.mark.filterwarnings(
    "ignore:Requiring AUTH while not requiring TLS"
)  # it knows STARTTLS only
@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_it_is_encrypted_for_a_server_that_is_trusted(
    certificate: tuple[ssl.SSLContext, Path], monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    context, trusted = certificate
    async with taking_mail(
        tls=context, implicit=scheme == "smtps", password=b"a pass/word"
    ) as server:
        url = f"{scheme}://us%40er:a%20pass%2Fword@0.0.0.0:{server.port}"
        with pytest.raises(NotDelivered, match=r"(?i)certificate"):
            await sent(url)
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        await sent(url)
        with pytest.raises(NotDelivered, match=r"SMTPAuthenticationError: .*535") as refused:
            await sent(url.replace("a%20pass", "another"))
        assert not refused.value.final
        assert "another" not in refused.value.reason
    [mail] = server.mails
    assert (mail.encrypted, mail.user) == (scheme == "smtp", b"us@er")


async def test_a_server_that_is_not_there() -> None:
    async with taking_mail() as server:
        port = server.port
    with pytest.raises(NotDelivered) as refused:
        await sent(f"smtp://127.0.0.1:{port}")
    assert not refused.value.final
