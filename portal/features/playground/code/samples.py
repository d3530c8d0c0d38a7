"""Code that a developer copies: the playground's request in curl, Python and JavaScript.

Each streams the answer and prints it as it comes, and each is run by a test as it is shown. The key
comes from the environment.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import Any, Final

KEY_VARIABLE: Final = "FAREBOX_API_KEY"
REMARK: Final = (
    "Each picture is a single pixel here: put its data URL or its https address in place."
)
PIXEL: Final = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWj"
    "R9awAAAABJRU5ErkJggg=="
)


@dataclass(frozen=True)
class ChatRequest:
    """What the playground would send, for samples to show; ``body`` is OpenAI's request.

    ``remark`` is a line that stands as a comment above it.
    """

    base_url: str
    body: dict[str, Any]
    remark: str = ""

    def comment(self, mark: str) -> str:
        """The remark as a language has comments; nothing without."""
        return f"{mark} {self.remark}\n" if self.remark else ""


def curl(request: ChatRequest) -> str:
    """The request as a shell command."""
    body = json.dumps({**request.body, "stream": True}, indent=2, ensure_ascii=False)
    return (
        f"{request.comment('#')}curl --no-buffer {request.base_url}/v1/chat/completions \\\n"
        f'  -H "Authorization: Bearer ${KEY_VARIABLE}" \\\n'
        '  -H "Content-Type: application/json" \\\n'
        f"  -d {shlex.quote(body)}\n"
    )


def python(request: ChatRequest) -> str:
    """The request with OpenAI's Python package, unmodified."""
    arguments = "".join(
        f"    {name}={_python(value, 4)},\n" for name, value in request.body.items()
    )
    return f"""{request.comment("#")}import os

from openai import OpenAI

client = OpenAI(
    base_url={_text(request.base_url + "/v1")},
    api_key=os.environ["{KEY_VARIABLE}"],
)

stream = client.chat.completions.create(
{arguments}    stream=True,
)
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
print()
"""


def javascript(request: ChatRequest) -> str:
    """The request in Node 18 or newer, without a package."""
    body = json.dumps({**request.body, "stream": True}, indent=2, ensure_ascii=False)
    written = body.replace("\n", "\n  ")
    url = _text(request.base_url + "/v1/chat/completions")
    return f"""{request.comment("//")}const response = await fetch({url}, {{
  method: "POST",
  headers: {{
    Authorization: `Bearer ${{process.env.{KEY_VARIABLE}}}`,
    "Content-Type": "application/json",
  }},
  body: JSON.stringify({written}),
}});
if (!response.ok) throw new Error(await response.text());

let rest = "";
for await (const text of response.body.pipeThrough(new TextDecoderStream())) {{
  const lines = (rest + text).split("\\n");
  rest = lines.pop();
  for (const line of lines) {{
    if (!line.startsWith("data: {{")) continue;
    const chunk = JSON.parse(line.slice("data: ".length));
    process.stdout.write(chunk.choices?.[0]?.delta?.content ?? "");
  }}
}}
process.stdout.write("\\n");
"""


def _python(value: object, indent: int) -> str:
    """A JSON value in Python, spread over lines where it is not plain."""
    inner = " " * (indent + 4)
    if isinstance(value, dict) and value:
        lines = [
            f"{inner}{_text(key)}: {_python(part, indent + 4)},\n" for key, part in value.items()
        ]
        return "{\n" + "".join(lines) + " " * indent + "}"
    if isinstance(value, list) and value:
        lines = [f"{inner}{_python(part, indent + 4)},\n" for part in value]
        return "[\n" + "".join(lines) + " " * indent + "]"
    # JSON's strings are also Python's
    return _text(value) if isinstance(value, str) else repr(value)


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def shown_request(base_url: str, body: dict[str, Any]) -> ChatRequest:
    """A request with uploaded pictures as a single pixel each, and a remark that says so."""
    shown = without_pictures(body)
    return ChatRequest(base_url, shown, "" if shown == body else REMARK)


def without_pictures(body: dict[str, Any]) -> dict[str, Any]:
    """The body with uploaded pictures as a single pixel each: they would fill the sample."""
    messages = [
        {**message, "content": [_small(part) for part in message["content"]]}
        if isinstance(message.get("content"), list)
        else message
        for message in body["messages"]
    ]
    return {**body, "messages": messages}


def _small(part: dict[str, Any]) -> dict[str, Any]:
    url = part.get("image_url", {}).get("url", "")
    own = "image_url" in part and not url.startswith(("https://", "http://"))
    return {**part, "image_url": {"url": PIXEL}} if own else part
