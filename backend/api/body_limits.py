"""Read a request's body within bounds: of its size, packed and unpacked, and of memory."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Request

from backend.api.errors import BodyTooLarge, TooMuchAtOnce, UnsupportedEncoding
from backend.errors import MalformedRequest

_GZIP = 16 + zlib.MAX_WBITS


class BodyBudget:
    """Bounds the memory of all bodies in this process."""

    def __init__(self, most_bytes: int) -> None:
        self._left = most_bytes

    @asynccontextmanager
    async def reserve(self, size: int) -> AsyncIterator[None]:
        """Reserve bytes for a block; raise ``RateLimited`` if there are not enough left."""
        if size > self._left:
            raise TooMuchAtOnce()
        self._left -= size
        try:
            yield
        finally:
            self._left += size


@asynccontextmanager
async def bounded_body(
    request: Request, budget: BodyBudget, *, most_bytes: int
) -> AsyncIterator[bytes]:
    """Yield the request's body, unpacked if it is gzip.

    Raises ``TooLarge`` if it has, or unpacks to, more than ``most_bytes``; ``MalformedRequest``
    if it claims to be gzip and is not; ``UnsupportedMedia`` for another encoding; ``RateLimited``
    if the bodies in this process take too much memory.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"identity", "gzip"}:
        raise UnsupportedEncoding()
    declared = request.headers.get("content-length", "")
    declared_size = encoding == "identity" and declared.isdigit()
    async with budget.reserve(min(int(declared), most_bytes) if declared_size else most_bytes):
        yield await (request.body() if encoding == "identity" else _unpacked(request, most_bytes))


async def _unpacked(request: Request, most_bytes: int) -> bytes:
    """Unpack a body of one gzip member or several, as parallel packers and ``cat`` write it."""
    unpacker = zlib.decompressobj(_GZIP)
    body = bytearray()
    try:
        async for packed in request.stream():
            rest = packed
            while rest:
                if unpacker.eof:
                    unpacker = zlib.decompressobj(_GZIP)
                # Unpacks one byte more than allowed, to detect a longer body, and no further.
                body += unpacker.decompress(rest, most_bytes + 1 - len(body))
                if len(body) > most_bytes:
                    raise BodyTooLarge(f"The body unpacks to more than {most_bytes:,} bytes.")
                rest = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
    except zlib.error as error:
        raise MalformedRequest(f"The body is not gzip: {error}.") from error
    if not unpacker.eof:
        raise MalformedRequest("The gzip body is cut short.")
    return bytes(body)
