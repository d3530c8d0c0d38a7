"""Which tools the caller's own program runs, and which the provider does. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

PLAIN_TOOLS: Final = frozenset({"custom", "function", "namespace"})
"""Kinds of which all that a model reads stands in the request."""
_OWN_TOOLS: Final = (
    *sorted(PLAIN_TOOLS),
    # Run by the customer's own program, of OpenAI's Responses and Anthropic's Messages
    "local_shell",
    "apply_patch",
    "computer",
    "bash",
    "text_editor",
    "memory",
    # A look among the customer's own tools, free of charge
    "tool_search",
)


def runs_at_caller(kind: str) -> bool:
    """Return whether the caller's program runs tools of a kind; others run at the provider.

    A tool without a kind is a function; versions follow the kind, as in ``bash_20250124``.
    """
    return kind == "" or any(kind == own or kind.startswith(f"{own}_") for own in _OWN_TOOLS)


def kind_of(tool: object) -> str:
    """Return a tool's kind; one that could be read as another is ``ambiguous``."""
    if not isinstance(tool, dict):
        return ""
    kinds = [kind for name, kind in tool.items() if name.casefold() == "type"]
    own = tool.get("type")
    if any(kind != own for kind in kinds):
        return "ambiguous"
    return own if isinstance(own, str) else ""


def kinds_in(document: dict[str, Any]) -> Iterator[str]:
    """Yield the kinds of a request's tools."""
    tools = document.get("tools")
    for tool in tools if isinstance(tools, list) else []:
        yield kind_of(tool)


def run_by_provider(tools: object) -> bool:
    """Return whether the provider runs any of these, and reads what it brings."""
    return any(
        not runs_at_caller(kind_of(tool)) for tool in (tools if isinstance(tools, list) else [])
    )
