"""An HTTP server's protocol that serves a request whose upgrade it doesn't know, and its body.

Java's client asks each server without TLS for HTTP/2 first, and ``curl --http2`` does. A server
may ignore that (RFC 9110, 7.8); uvicorn's parser ends the request there, and takes its body for the
next.
"""

from __future__ import annotations

import sys
from typing import Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_OF_UPGRADES: Final = frozenset({b"upgrade", b"http2-settings"})
"""Headers that ask for an upgrade, and the options of ``Connection`` that name them."""


class NoUpgrade(HttpToolsProtocol):
    """uvicorn's protocol, which reads such a request once more as one that asks for no upgrade."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._data = b""
        self._ignores_upgrade = False

    def data_received(self, data: bytes) -> None:
        """Parse what has come."""
        self._data = data
        super().data_received(data)
        self._data = b""

    def on_headers_complete(self) -> None:
        """Begin a request, unless it is to be read once more."""
        asks = self.parser.should_upgrade() and self._get_upgrade() is not None
        self._ignores_upgrade = asks and not self._should_upgrade()
        if not self._ignores_upgrade:
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """End a request, unless it is to be read once more."""
        if not self._ignores_upgrade:
            super().on_message_complete()

    def _unsupported_upgrade_warning(self) -> None:
        error = sys.exception()
        if not self._ignores_upgrade or not isinstance(error, httptools.HttpParserUpgrade):
            super()._unsupported_upgrade_warning()
            return
        # The rest of what has come is the body's, or the next request's
        rest, head = self._data[error.args[0] :], self._plain_head()
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        for data in (head, rest):
            if data and self.parser is not None and not self.transport.is_closing():
                NoUpgrade.data_received(self, data)

    def _plain_head(self) -> bytes:
        """The request's head without what asks for an upgrade."""
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        lines = [b"%s %s HTTP/%s" % (method, self.url, version)]
        for name, value in self.headers:
            if name == b"connection":
                options = [option.strip() for option in value.split(b",")]
                value = b", ".join(each for each in options if each.lower() not in _OF_UPGRADES)
            if name not in _OF_UPGRADES and (value or name != b"connection"):
                lines.append(name + b": " + value)
        return b"\r\n".join([*lines, b"", b""])
