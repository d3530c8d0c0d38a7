"""Code that a developer copies: the playground's question in curl, Python and JavaScript."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass

KEY_VARIABLE = "FAREBOX_API_KEY"


@dataclass(frozen=True)
class ChatRequest:
    """What the playground would send, for samples to show."""

    base_url: str
    model: str
    messages: list[dict[str, str]]
    temperature: float
    max_tokens: int


def curl(request: ChatRequest) -> str:
    """The request as a shell command; the key comes from the environment."""
    body = json.dumps(
        {
            "model": request.model,
            "messages": request.messages,
            "temperature": request.temperature,
            "max_tokens": request.max_tokens,
            "stream": True,
        },
        indent=2,
        ensure_ascii=False,
    )
    return (
        f"curl {request.base_url}/v1/chat/completions \\\n"
        f'  -H "Authorization: Bearer ${KEY_VARIABLE}" \\\n'
        '  -H "Content-Type: application/json" \\\n'
        f"  -d {shlex.quote(body)}\n"
    )


def python(request: ChatRequest) -> str:
    """The request with OpenAI's Python package, unmodified."""
    return f"""import os

from openai import OpenAI

client = OpenAI(
    base_url={_literal(request.base_url + "/v1")},
    api_key=os.environ["{KEY_VARIABLE}"],
)

stream = client.chat.completions.create(
    model={_literal(request.model)},
    messages=[
{_messages(request, "        ")}
    ],
    temperature={request.temperature:g},
    max_tokens={request.max_tokens},
    stream=True,
)
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
"""


def javascript(request: ChatRequest) -> str:
    """The request with OpenAI's JavaScript package, unmodified."""
    return f"""import OpenAI from "openai";

const client = new OpenAI({{
  baseURL: {_literal(request.base_url + "/v1")},
  apiKey: process.env.{KEY_VARIABLE},
}});

const stream = await client.chat.completions.create({{
  model: {_literal(request.model)},
  messages: [
{_messages(request, "    ")}
  ],
  temperature: {request.temperature:g},
  max_tokens: {request.max_tokens},
  stream: true,
}});
for await (const chunk of stream) {{
  process.stdout.write(chunk.choices[0]?.delta?.content ?? "");
}}
"""


def _messages(request: ChatRequest, indent: str) -> str:
    """The messages, one a line; JSON's strings are also Python's and JavaScript's."""
    return "\n".join(
        f'{indent}{{"role": {_literal(message["role"])}, '
        f'"content": {_literal(message["content"])}}},'
        for message in request.messages
    )


def _literal(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
