"""A provider's answer while it comes: its head, and its body in the pieces in which it comes."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any, Final, Protocol, cast

import httpx

_READ_BYTES: Final = 256 * 1024
"""What may wait to be read before the provider is made to wait."""
_LAST_CHUNK_SECONDS: Final = 0.02
_CODINGS: Final = {"gzip": 31, "x-gzip": 31, "deflate": 47}
"""What zlib calls the codings that an answer may have, though they were not asked for."""


class Held(Protocol):
    """The connection that an answer comes by, until its body is whole."""

    def end(self) -> None:
        """End it."""

    def pause(self) -> None:
        """Let the provider wait."""

    def resume(self) -> None:
        """Read on."""


class Answer:
    """A provider's answer, whose head has come. ``aclose`` it in every case.

    ``headers`` have names in lower case; of several of one name, the first counts.
    """

    def __init__(self, connection: Held, status: int, headers: Mapping[str, str]) -> None:
        self.status_code = status
        self.headers = headers
        self._connection: Held | None = connection
        self._pieces: list[bytes] = []
        self._size = 0
        self._is_whole = False
        self._error: httpx.HTTPError | None = None
        self._reader: asyncio.Future[None] | None = None
        coding = headers.get("content-encoding", "identity").strip().lower()
        self._decoder = zlib.decompressobj(_CODINGS[coding]) if coding in _CODINGS else None
        if self._decoder is None and coding not in ("identity", ""):
            raise httpx.RemoteProtocolError("the answer has a coding that was not asked for")

    @property
    def is_closed(self) -> bool:
        """Whether the connection is given back, or has ended."""
        return self._connection is None

    @property
    def is_success(self) -> bool:
        """Whether the status is one of success: 2xx."""
        return 200 <= self.status_code < 300

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        """Yield the body in the pieces in which it comes; raises httpx's errors.

        What was not taken when its reader is canceled comes the next time.
        """
        while True:
            while self._pieces:
                if piece := self._taken():
                    yield piece
            if self._error is not None:
                raise self._error
            if self._is_whole:
                break
            await self._more()
        if self._decoder is not None:
            if rest := self._decoder.flush():
                yield rest
            if not self._decoder.eof:
                raise httpx.RemoteProtocolError("the answer's coding broke off")

    async def aclose(self) -> None:
        """Give the connection back if the body comes to its end now, and end it if not.

        A stream is over for its reader a moment before its last, empty chunk.
        """
        connection = self._connection
        if connection is None:
            return
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_CHUNK_SECONDS):
                    while self._connection is not None:
                        self._dropped()
                        await self._more()
        finally:
            if self._connection is not None:
                connection.end()

    def feed(self, piece: bytes) -> None:
        """Take a piece of the body that has come."""
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > _READ_BYTES and self._connection is not None:
            self._connection.pause()
        self._wake()

    def finish(self, error: httpx.HTTPError | None = None) -> None:
        """Note that the body is whole, or why there will be no more of it."""
        self._is_whole, self._error, self._connection = error is None, error, None
        self._wake()

    def _taken(self) -> bytes:
        piece = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._dropped()
        return piece if self._decoder is None else self._decoded(piece)

    def _dropped(self) -> None:
        """Have room again for what comes."""
        self._pieces.clear()
        if self._size > _READ_BYTES and self._connection is not None:
            self._connection.resume()
        self._size = 0

    def _decoded(self, piece: bytes) -> bytes:
        """Return the first of what a piece says, which may be a thousand times as long."""
        decoder = cast("Any", self._decoder)
        try:
            decoded: bytes = decoder.decompress(piece, _READ_BYTES)
        except zlib.error as error:
            raise httpx.DecodingError(str(error)) from error
        if decoder.unconsumed_tail:
            self._pieces.insert(0, decoder.unconsumed_tail)
            self._size = len(decoder.unconsumed_tail)
        return decoded

    async def _more(self) -> None:
        self._reader = asyncio.get_running_loop().create_future()
        try:
            await self._reader
        finally:
            self._reader = None

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
