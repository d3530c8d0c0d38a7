"""A real HTTP server that fails on purpose: it answers what it was told to, in turn."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


@dataclass(frozen=True)
class Reply:
    """One answer. ``cut`` closes the connection after that many bytes of the body.

    ``stalls`` sends that many bytes, and the rest when the server is told to go on.
    """

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    stalls: int | None = None
    hangs: bool = False
    drops: bool = False


@dataclass(frozen=True)
class Seen:
    """One request that came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float


class _Server(ThreadingHTTPServer):
    request_queue_size = 128
    """Connections that may come at once: of five, which is the default, a burst loses some."""


class FlakyServer:
    """Serves ``replies`` in turn on ``url``, and keeps what it was asked in ``seen``."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.seen: list[Seen] = []
        self._released = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # a body would wait 40 ms for its head's acknowledgment

            def handle_one(self) -> None:
                length = int(self.headers.get("content-length", "0"))
                body = self.rfile.read(length)
                headers = {name.lower(): value for name, value in self.headers.items()}
                outer.seen.append(Seen(self.command, self.path, headers, body, time.monotonic()))
                reply = outer.replies[min(len(outer.seen), len(outer.replies)) - 1]
                if reply.hangs:
                    outer._released.wait(30)
                if reply.hangs or reply.drops:
                    self.close_connection = True
                    return
                self.send_response_only(reply.status)
                for name, value in {"content-type": "application/json", **reply.headers}.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(reply.body)))
                self.end_headers()
                if reply.stalls is not None:
                    self.wfile.write(reply.body[: reply.stalls])
                    outer._released.wait(30)
                with suppress(OSError):  # the caller may have gone
                    self.wfile.write(reply.body[reply.stalls or 0 : reply.cut])
                self.close_connection = reply.cut is not None

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_one

            def log_message(self, *said: object) -> None:
                """Say nothing."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def go_on(self) -> None:
        """Let what stalls or hangs come to its end."""
        self._released.set()

    def hold_again(self) -> None:
        """Let what stalls or hangs from now on wait for the next ``go_on``."""
        self._released.clear()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
