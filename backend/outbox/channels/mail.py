"""The e-mail channel, over SMTP."""

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
"""For each command; a server that scans messages may need long for the last."""

_LONGEST_LINE = 200


class Mail:
    """Sends letters, each over a connection of its own."""

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
        """Return whether the customer gets a letter about this event."""
        return self._letters.wants(event)

    async def send(self, event: NotificationEvent) -> None:
        """Send an event's letter; raise ``NotDelivered`` unless the server accepts a recipient."""
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
            final = all(_is_final(refused_recipient.code) for refused_recipient in error.recipients)
            answers = "; ".join(
                f"{refused_recipient.code} {refused_recipient.message}"
                for refused_recipient in error.recipients
            )
            raise NotDelivered(
                f"No recipient was accepted: {_one_line(answers)}", final=final
            ) from error
        except aiosmtplib.SMTPDataError as error:
            answers = _one_line(f"{error.code} {error.message}")
            raise NotDelivered(f"It was refused: {answers}", final=_is_final(error.code)) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            # Other refusals, such as of the password, can be fixed by the operator in time
            raise NotDelivered(_one_line(f"{type(error).__name__}: {error}")) from error
        if refused:
            _log.warning("notifications.recipients_refused", id=event.id, count=len(refused))

    async def close(self) -> None:
        """Close what the letters use."""
        await self._letters.close()


def message_of(letter: Letter, sender: Address, event_id: str, at: datetime) -> EmailMessage:
    """Return the message. Sent again it has the same id, so that a duplicate can be recognized.

    Raises ``NotDelivered`` if an address is not one: it could end a header and begin another.
    """
    if not letter.to or not all(mailbox(recipient) == recipient for recipient in letter.to):
        raise NotDelivered("The recipient's address is not an e-mail address.", final=True)
    message = EmailMessage()
    message["From"] = sender
    message["To"] = [Address(addr_spec=recipient) for recipient in letter.to]
    message["Subject"] = _one_line(letter.subject)
    message["Date"] = format_datetime(at)
    message["Message-ID"] = f"<{event_id}@{sender.domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.text)
    message.add_alternative(letter.html, subtype="html")
    for file in letter.attachments:
        main, _, sub = file.media_type.partition("/")
        message.add_attachment(
            file.content, maintype=main, subtype=sub, filename=_one_line(file.name)
        )
    return message


def _one_line(text: str) -> str:
    return one_line(text, _LONGEST_LINE)


def _is_final(code: int) -> bool:
    return 500 <= code < 600
