"""Who is told: a mail server and a webhook's receiver, both real, on ports of this machine."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from starlette.types import Receive, Scope, Send

from tests.support.serving import served


@dataclass
class Post:
    """A request that came in."""

    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


@dataclass
class Answer:
    """What to say to a request. Without ``length`` the body is whole, with it, it never ends."""

    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    endless: bool = False


class Receiver:
    """Keeps what comes, and answers as it is told: each of ``answers`` once, then 204."""

    def __init__(self) -> None:
        self.url = ""
        self.posts: list[Post] = []
        self.answers: list[Answer] = []
        self.goes_on = asyncio.Event()
        self.goes_on.set()
        self.bytes_sent = 0

    @property
    def ids(self) -> list[str]:
        return [post.id for post in self.posts]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.posts.append(Post(headers, body))
        await self.goes_on.wait()
        answer = self.answers.pop(0) if self.answers else Answer()
        sent = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
        start = {"type": "http.response.start", "status": answer.status, "headers": sent}
        await send(start)
        while answer.endless:
            # uvicorn's send waits for the reader, and returns at once when it is gone
            await send({"type": "http.response.body", "body": b"x" * 4096, "more_body": True})
            self.bytes_sent += 4096
            gone = asyncio.create_task(receive())
            done, _ = await asyncio.wait([gone], timeout=0.001)
            gone.cancel()
            if done:
                return
        await send({"type": "http.response.body", "body": answer.body})


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    async with served(receiver) as url:
        receiver.url = f"{url}/hooks"
        yield receiver
        receiver.goes_on.set()


@dataclass
class Mail:
    """A message that the server took."""

    sender: str
    recipients: list[str]
    message: EmailMessage
    encrypted: bool
    user: bytes | None

    @property
    def id(self) -> str:
        return str(self.message["Message-ID"]).strip("<>").partition("@")[0]

    @property
    def subject(self) -> str:
        """As it is shown: where a line was folded there may be a space before it."""
        return str(self.message["Subject"]).strip()

    def part(self, subtype: str) -> str:
        body = self.message.get_body((subtype,))
        assert body is not None
        return str(body.get_content())

    @property
    def files(self) -> dict[str, bytes]:
        return {
            str(part.get_filename()): part.get_content()
            for part in self.message.iter_attachments()
            if isinstance(part, EmailMessage)
        }

    @property
    def whole(self) -> str:
        """Everything that can be read in it, decoded."""
        head = "\n".join(f"{name}: {value}" for name, value in self.message.items())
        return "\n".join([head, self.part("plain"), self.part("html")])


class MailServer:
    """Keeps what comes. ``refusals`` are answered in place of taking a message, each once."""

    def __init__(self) -> None:
        self.port = 0
        self.mails: list[Mail] = []
        self.refusals: list[str] = []
        self.unknown: dict[str, str] = {}
        self.goes_on = asyncio.Event()
        self.goes_on.set()
        self.begun = 0

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.unknown:
            return self.unknown[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.begun += 1
        await self.goes_on.wait()
        if self.refusals:
            return self.refusals.pop(0)
        assert isinstance(envelope.content, bytes)
        message: Any = message_from_bytes(envelope.content, policy=policy.default)
        data = session.auth_data
        user = data.login if isinstance(data, LoginPassword) else None
        assert envelope.mail_from is not None
        self.mails.append(
            Mail(envelope.mail_from, envelope.rcpt_tos, message, session.ssl is not None, user)
        )
        return "250 taken"


@asynccontextmanager
async def taking_mail(
    *,
    host: str = "127.0.0.1",
    tls: ssl.SSLContext | None = None,
    implicit: bool = False,
    password: bytes | None = None,
) -> AsyncIterator[MailServer]:
    """Take mail; with ``tls`` by STARTTLS or, if ``implicit``, from the first byte."""
    kept = MailServer()

    def authenticate(*call: Any) -> AuthResult:
        data = call[-1]
        good = isinstance(data, LoginPassword) and data.password == password
        return AuthResult(success=good, handled=False, auth_data=data)

    def protocol() -> SMTP:
        return SMTP(
            kept,
            enable_SMTPUTF8=True,
            hostname="mail.test",
            tls_context=None if implicit else tls,
            auth_required=password is not None,
            auth_require_tls=False,
            authenticator=authenticate if password is not None else None,
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, host, 0, ssl=tls if implicit else None)
    kept.port = server.sockets[0].getsockname()[1]
    yield kept
    kept.goes_on.set()
    server.close()
