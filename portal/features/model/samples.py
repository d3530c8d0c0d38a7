"""A first call of a model, to copy: in curl, Python and JavaScript. Plain functions."""

from __future__ import annotations

import json
import shlex
from typing import Final

QUESTION: Final = "Say hello."
KEY: Final = "API_KEY"
"""The environment variable that samples take the key from."""


def curl(api_url: str, model: str) -> str:
    """The call as a shell command."""
    body = json.dumps(
        {"model": model, "messages": [{"role": "user", "content": QUESTION}]}, ensure_ascii=False
    )
    return (
        f"curl {api_url}/v1/chat/completions \\\n"
        f'  -H "Authorization: Bearer ${KEY}" \\\n'
        '  -H "Content-Type: application/json" \\\n'
        f"  -d {shlex.quote(body)}\n"
    )


def python(api_url: str, model: str) -> str:
    """The call with OpenAI's Python package."""
    return f"""import os

from openai import OpenAI

client = OpenAI(base_url={json.dumps(api_url + "/v1")}, api_key=os.environ["{KEY}"])
answer = client.chat.completions.create(
    model={json.dumps(model)},
    messages=[{{"role": "user", "content": "{QUESTION}"}}],
)
print(answer.choices[0].message.content)
"""


def javascript(api_url: str, model: str) -> str:
    """The call with OpenAI's JavaScript package."""
    return f"""import OpenAI from "openai";

const client = new OpenAI({{
  baseURL: {json.dumps(api_url + "/v1")},
  apiKey: process.env.{KEY},
}});
const answer = await client.chat.completions.create({{
  model: {json.dumps(model)},
  messages: [{{ role: "user", content: "{QUESTION}" }}],
}});
console.log(answer.choices[0].message.content);
"""
