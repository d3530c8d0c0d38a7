"""E-mail over SMTP, to whom the letter is addressed."""

from __future__ import annotations

from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final

import aiosmtplib
import structlog

from backend.kit.addresses import SmtpServer, mailbox
from backend.outbox.channels.channel import Letter, Letters, NotDelivered, one_line
from backend_client.types.notifications import ChannelName, NotificationEvent

_log = structlog.get_logger(__name__)

TIMEOUT_SECONDS: Final = 20.0
"""For each command; a server that scans what it takes may need long for the last."""

_LONGEST_LINE = 200


class Mail:
    """Sends a letter by letter, each over a connection of its own."""

    name = ChannelName.EMAIL
    at_once = 4

    def __init__(
        self,
        server: SmtpServer,
        sender: Address,
        letters: Letters,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self._server = server
        self._sender = sender
        self._letters = letters
        self._timeout = timeout_seconds

    def wants(self, event: NotificationEvent) -> bool:
        """What the customer is told of."""
        return self._letters.wants(event)

    async def send(self, event: NotificationEvent) -> None:
        """Send an event's letter; raise ``NotDelivered`` unless the server took it for somebody."""
        letter = await self._letters.write(event)
        message = message_of(letter, self._sender, event.id, event.timestamp)
        server = self._server
        try:
            refused, _ = await aiosmtplib.send(
                message,
                sender=self._sender.addr_spec,
                recipients=list(letter.to),
                hostname=server.host,
                port=server.port,
                username=server.user,
                password=server.password,
                use_tls=server.encryption == "tls",
                start_tls=server.encryption == "starttls",
                timeout=self._timeout,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            final = all(_is_final(one.code) for one in error.recipients)
            told = "; ".join(f"{one.code} {one.message}" for one in error.recipients)
            raise NotDelivered(f"No recipient was taken: {_told(told)}", final=final) from error
        except aiosmtplib.SMTPDataError as error:
            told = _told(f"{error.code} {error.message}")
            raise NotDelivered(f"It was refused: {told}", final=_is_final(error.code)) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            # What else is refused, such as the password, is the operator's to put right in time
            raise NotDelivered(_told(f"{type(error).__name__}: {error}")) from error
        if refused:
            _log.warning("notifications.recipients_refused", id=event.id, count=len(refused))

    async def close(self) -> None:
        """Let go of what the letters hold."""
        await self._letters.close()


def message_of(letter: Letter, sender: Address, event_id: str, at: datetime) -> EmailMessage:
    """Make the message. Sent again it has the same id, so that a double can be told.

    Raises ``NotDelivered`` if an address is none: it could end a header and begin another.
    """
    if not letter.to or not all(mailbox(one) == one for one in letter.to):
        raise NotDelivered("The recipient's address is not an e-mail address.", final=True)
    message = EmailMessage()
    message["From"] = sender
    message["To"] = [Address(addr_spec=one) for one in letter.to]
    message["Subject"] = _told(letter.subject)
    message["Date"] = format_datetime(at)
    message["Message-ID"] = f"<{event_id}@{sender.domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.text)
    message.add_alternative(letter.html, subtype="html")
    for file in letter.attachments:
        main, _, sub = file.media_type.partition("/")
        message.add_attachment(file.content, maintype=main, subtype=sub, filename=_told(file.name))
    return message


def _told(text: str) -> str:
    return one_line(text, _LONGEST_LINE)


def _is_final(code: int) -> bool:
    return 500 <= code < 600
