"""OpenAI's responses as chat: for tokenizers, which count chats, and for translation.

What has no counterpart is kept as it is, so that a bound by its bytes does not miss it.
"""

from __future__ import annotations

import orjson

from backend.gateway.protocols.parts.base import Document
from backend.gateway.protocols.responses_tools import chat_name


def chat_messages(request: Document) -> list[Document]:
    """Return the instructions and the input of a request as the messages of a chat."""
    messages: list[Document] = []
    if isinstance(request.get("instructions"), str):
        messages.append({"role": "system", "content": request["instructions"]})
    given = request.get("input")
    if isinstance(given, str):
        messages.append({"role": "user", "content": given})
        return messages
    for item in given if isinstance(given, list) else []:
        _add(messages, item)
    return messages


def _add(messages: list[Document], item: object) -> None:
    if not isinstance(item, dict):
        messages.append({"role": "user", "content": orjson.dumps(item).decode()})
        return
    kind = item.get("type", "message")
    if kind == "message":
        role = str(item.get("role") or "user")
        messages.append({"role": role, "content": _content(item.get("content"))})
    elif kind == "function_call":
        function = {"name": chat_name(item), "arguments": item.get("arguments")}
        call = {"id": item.get("call_id"), "type": "function", "function": function}
        # Calls that were made together are of one message
        if messages and messages[-1]["role"] == "assistant":
            messages[-1].setdefault("tool_calls", []).append(call)
        else:
            messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
    elif kind == "function_call_output":
        output = _content(item.get("output"))
        if isinstance(output, list):
            output = "\n\n".join(
                str(part["text"]) if part.get("type") == "text" else orjson.dumps(part).decode()
                for part in output
            )
        messages.append({"role": "tool", "tool_call_id": item.get("call_id"), "content": output})
    elif kind != "reasoning":
        # Thoughts of earlier answers are not taken back; all else is at least counted
        messages.append({"role": "user", "content": orjson.dumps(item).decode()})


def _content(content: object) -> str | list[Document]:
    if isinstance(content, str):
        return content
    parts = [_part(part) for part in (content if isinstance(content, list) else [])]
    if len(parts) == 1 and parts[0].get("type") == "text":
        return str(parts[0]["text"])
    return parts


def _part(part: object) -> Document:
    if not isinstance(part, dict):
        return {"type": "text", "text": orjson.dumps(part).decode()}
    kind = part.get("type")
    if kind in ("input_text", "output_text", "text"):
        return {"type": "text", "text": str(part.get("text") or "")}
    if kind == "refusal":
        return {"type": "text", "text": str(part.get("refusal") or "")}
    if kind == "input_image" and isinstance(part.get("image_url"), str):
        image = {"url": part["image_url"], "detail": part.get("detail") or "auto"}
        return {"type": "image_url", "image_url": image}
    if kind == "input_file" and isinstance(part.get("file_data"), str):
        file = {name: part[name] for name in ("filename", "file_data") if name in part}
        return {"type": "file", "file": file}
    return part
