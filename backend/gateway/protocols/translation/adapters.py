"""Which protocol serves a call at an upstream that does not speak the caller's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from backend.gateway.protocols.parts.base import Protocol
from backend.gateway.protocols.translation.chat_over_messages import CHAT_OVER_MESSAGES
from backend.gateway.protocols.translation.messages_over_chat import MESSAGES_OVER_CHAT
from backend.gateway.protocols.translation.responses_over_chat import RESPONSES_OVER_CHAT

_ADAPTERS: Final[Mapping[str, Mapping[str, Protocol]]] = {
    "messages": {"chat": MESSAGES_OVER_CHAT},
    "responses": {"chat": RESPONSES_OVER_CHAT},
    "chat": {"messages": CHAT_OVER_MESSAGES},
}
"""By the caller's protocol, then by the upstream's."""


def served_as(protocol: Protocol, speaks: Callable[[str], bool]) -> tuple[str, Protocol] | None:
    """Return the protocol that an upstream speaks for a caller's, and what translates between them.

    They are the same where the upstream speaks the caller's. None if there is no way.
    """
    if speaks(protocol.name):
        return protocol.name, protocol
    for spoken, adapter in _ADAPTERS.get(protocol.name, {}).items():
        if speaks(spoken):
            return spoken, adapter
    return None
