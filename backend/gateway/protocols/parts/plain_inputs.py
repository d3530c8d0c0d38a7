"""Prompts that are no chat: a text, several texts, or the numbers of tokens."""

from __future__ import annotations

from typing import Any, Final

from backend.gateway.protocols.parts.requests import wrong

_MOST_INPUTS: Final = 2048
"""As OpenAI takes."""


def read_inputs(request: dict[str, Any], name: str) -> tuple[list[str] | None, int, int]:
    """Return the texts of a parameter, None where they are tokens, how many tokens it gives as
    numbers, and how many inputs it has.

    Raises ``InvalidRequest``.
    """
    given = request.get(name)
    if isinstance(given, str):
        return [given], 0, 1
    if not isinstance(given, list) or not given:
        raise wrong(name, "must be a text, or an array of texts or of tokens")
    if all(isinstance(item, int) for item in given):
        return None, len(given), 1
    if len(given) > _MOST_INPUTS:
        raise wrong(name, f"must have at most {_MOST_INPUTS:,} inputs")
    if all(isinstance(item, str) for item in given):
        return given, 0, len(given)
    if all(isinstance(item, list) for item in given):
        return None, sum(map(len, given)), len(given)
    raise wrong(name, "must be a text, or an array of texts or of tokens")
