"""The tools of OpenAI's responses as those of a chat, which has no namespaces.

A namespace is a container of functions that the caller runs, such as those of an MCP server; a call
names the function and, in a member of its own, the namespace. See
https://platform.openai.com/docs/api-reference/responses, ``NamespaceTool``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from backend.gateway.protocols.parts.base import Document

_SEPARATOR: Final = "__"
_LONGEST_NAME: Final = 64
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9_-]")
"""What a function's name in a chat has: these, 64 at most."""
_HASH_LETTERS: Final = 8


def chat_tools(tools: object) -> list[Document]:
    """Return the functions among the tools as a chat has them."""
    return [_chat_tool(tool, tool.get("name")) for tool in _functions(tools)]


def flat_tools(tools: object) -> list[Document]:
    """Return the functions among the tools, and those of namespaces, as a chat has them.

    What a model reads of a namespace stands with the first of its functions.
    """
    flat = chat_tools(tools)
    introduced: set[str] = set()
    for name, (group, tool) in _namespaced(tools).items():
        chat_tool = _chat_tool(tool, name)
        if group["name"] not in introduced and isinstance(about := group.get("description"), str):
            function = chat_tool["function"]
            function["description"] = "\n\n".join(filter(None, [about, tool.get("description")]))
        introduced.add(group["name"])
        flat.append(chat_tool)
    return flat


def other_tools(tools: object) -> list[Any]:
    """Return the tools that are no functions."""
    return [tool for tool in (tools if isinstance(tools, list) else []) if not _is_function(tool)]


def chat_name(item: Document) -> object:
    """Return the name, in a chat, of the function that a call or a choice of tools names."""
    name, namespace = item.get("name"), item.get("namespace")
    return _flat(namespace, name) if isinstance(namespace, str) and namespace else name


def calls_by_chat_name(tools: object) -> Mapping[str, Document]:
    """Return what a call of each function of a namespace has, by the function's name in a chat."""
    return {
        name: {"name": tool.get("name"), "namespace": group["name"]}
        for name, (group, tool) in _namespaced(tools).items()
    }


def _namespaced(tools: object) -> dict[str, tuple[Document, Document]]:
    """Return the functions of namespaces after these, by names that no other function has."""
    plain = {tool.get("name") for tool in _functions(tools)}
    named: dict[str, tuple[Document, Document]] = {}
    for group in other_tools(tools):
        namespace = group.get("name") if isinstance(group, dict) else None
        if not isinstance(namespace, str) or group.get("type") != "namespace":
            continue
        for tool in _functions(group.get("tools")):
            if (name := _flat(namespace, tool.get("name"))) not in plain:
                named.setdefault(name, (group, tool))
    return named


def _flat(namespace: str, name: object) -> str:
    """Return a function's name with its namespace; the same two have the same one each time."""
    whole = f"{namespace.removesuffix(_SEPARATOR)}{_SEPARATOR}{name}"
    plain = _NOT_IN_NAMES.sub("_", whole)
    if plain == whole and len(whole) <= _LONGEST_NAME:
        return whole
    mark = hashlib.sha256(whole.encode()).hexdigest()[:_HASH_LETTERS]
    return f"{plain[: _LONGEST_NAME - _HASH_LETTERS - 1]}_{mark}"


def _chat_tool(tool: Document, name: object) -> Document:
    function = {
        member: tool[member]
        for member in ("description", "parameters", "strict")
        if tool.get(member) is not None
    }
    return {"type": "function", "function": {"name": name, **function}}


def _functions(tools: object) -> Iterator[Document]:
    for tool in tools if isinstance(tools, list) else []:
        if _is_function(tool):
            yield tool


def _is_function(tool: object) -> bool:
    return isinstance(tool, dict) and tool.get("type") == "function"
