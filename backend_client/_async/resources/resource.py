"""The base of all resources."""

from __future__ import annotations

from backend_client._async.sender import AsyncSender


class AsyncResource:
    """What the methods of one thing share: how their calls are sent."""

    def __init__(self, sender: AsyncSender) -> None:
        self._sender = sender
