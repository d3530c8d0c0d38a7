"""Anthropic's messages as OpenAI's chat: for tokenizers, which count chats, and for translation.

What has no counterpart is kept as it is, so that a bound by its bytes does not miss it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import orjson

from backend.gateway.protocols.parts.base import Document

_THOUGHTS: Final = frozenset({"thinking", "redacted_thinking"})


def chat_messages(request: Document, *, thoughts: bool = True) -> list[Document]:
    """Return the system prompt and the messages of a request as those of a chat.

    ``thoughts`` of earlier answers can be left out: chats don't take them back.
    """
    messages: list[Document] = []
    system = request.get("system")
    if system:
        messages.append({"role": "system", "content": _joined_text(system)})
    for message in request["messages"]:
        blocks = _blocks(message.get("content"))
        if message.get("role") == "assistant":
            messages.append(_from_assistant(blocks, thoughts=thoughts))
        else:
            messages += _from_user(blocks, str(message.get("role") or "user"))
    return messages


def chat_tools(tools: object) -> list[Document]:
    """Return the tools that the caller's own program runs as a chat has them."""
    return [_tool(tool) for tool in (tools if isinstance(tools, list) else []) if _is_own(tool)]


def provider_tools(tools: object) -> list[Any]:
    """Return the tools that the provider runs, and what is no tool."""
    return [tool for tool in (tools if isinstance(tools, list) else []) if not _is_own(tool)]


def _is_own(tool: object) -> bool:
    return isinstance(tool, dict) and "input_schema" in tool


def _tool(tool: Document) -> Document:
    function = {
        "name": tool.get("name"),
        "description": tool.get("description") or "",
        "parameters": tool["input_schema"],
    }
    return {"type": "function", "function": function}


def _blocks(content: object) -> list[Document]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    given = content if isinstance(content, list) else []
    return [block if isinstance(block, dict) else {"unknown": block} for block in given]


def _joined_text(content: object) -> str:
    return "\n\n".join(
        text if isinstance(text := block.get("text"), str) else orjson.dumps(block).decode()
        for block in _blocks(content)
    )


def _from_assistant(blocks: list[Document], *, thoughts: bool) -> Document:
    texts, thought, calls = [], [], []
    for block in blocks:
        if block.get("type") == "text":
            texts.append(str(block.get("text") or ""))
        elif block.get("type") == "tool_use":
            arguments = orjson.dumps(block.get("input") or {}).decode()
            function = {"name": block.get("name"), "arguments": arguments}
            calls.append({"id": block.get("id"), "type": "function", "function": function})
        elif block.get("type") in _THOUGHTS:
            thought.append(str(block.get("thinking") or block.get("data") or ""))
        else:
            texts.append(orjson.dumps(block).decode())
    message: Document = {"role": "assistant", "content": "".join(texts) or None}
    if thoughts and thought:
        message["reasoning_content"] = "".join(thought)
    if calls:
        message["tool_calls"] = calls
    return message


def _from_user(blocks: list[Document], role: str) -> Iterator[Document]:
    """Yield results of tools as messages of their own, then what else the user says."""
    parts: list[Document] = []
    for block in blocks:
        if block.get("type") == "tool_result":
            yield from _tool_result(block, parts)
        else:
            parts.append(_part(block))
    if len(parts) == 1 and _is_text(parts[0]):
        yield {"role": role, "content": parts[0]["text"]}
    elif parts:
        yield {"role": role, "content": parts}


def _tool_result(block: Document, parts: list[Document]) -> Iterator[Document]:
    """Yield a tool's result; its pictures go to the user's parts, since a tool can't show any."""
    texts: list[str] = []
    for part in map(_part, _blocks(block.get("content"))):
        if _is_text(part):
            texts.append(part["text"])
        else:
            parts.append(part)
    yield {
        "role": "tool",
        "tool_call_id": block.get("tool_use_id"),
        "content": "\n\n".join(texts),
    }


def _is_text(part: Document) -> bool:
    return part.get("type") == "text" and isinstance(part.get("text"), str)


def _part(block: Document) -> Document:
    kind = block.get("type")
    if kind == "text" and isinstance(block.get("text"), str):
        return {"type": "text", "text": block["text"]}
    given = block.get("source")
    source: Document = given if isinstance(given, dict) else {}
    if kind == "image":
        return {"type": "image_url", "image_url": {"url": _url(source)}}
    if kind == "document" and source.get("type") == "text":
        return {"type": "text", "text": str(source.get("data") or "")}
    if kind == "document" and source.get("type") == "base64":
        file = {"filename": block.get("title") or "document.pdf", "file_data": _url(source)}
        return {"type": "file", "file": file}
    return block


def _url(source: Document) -> str:
    if source.get("type") == "base64":
        return f"data:{source.get('media_type')};base64,{source.get('data')}"
    return str(source.get("url") or "")
