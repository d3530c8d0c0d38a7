"""Code samples are code: each runs as it is shown, and sends what the playground would."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from portal.features.playground.code.compiled_samples import go, java
from portal.features.playground.code.samples import (
    PIXEL,
    REMARK,
    ChatRequest,
    curl,
    javascript,
    python,
    shown_request,
)
from tests.support import go as tools
from tests.support.node import node

pytestmark = pytest.mark.slow

AWKWARD = 'It\'s "quoted",\nand $(rm -rf ~) `too` ${HOME} \\ é 🙂 \\n'
BODY: dict[str, Any] = {
    "model": "smollm2-135m-instruct",
    "messages": [
        {"role": "system", "content": AWKWARD},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": AWKWARD},
                {"type": "image_url", "image_url": {"url": PIXEL}},
            ],
        },
    ],
    "temperature": 0.7,
    "max_tokens": 256,
    "top_p": 0.5,
    "frequency_penalty": -0.5,
    "seed": 7,
    "stop": ["\n", "END"],
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "weather",
                "parameters": {
                    "type": "object",
                    "properties": {"city": {"type": "string"}},
                    "additionalProperties": False,
                },
            },
        }
    ],
    "response_format": {"type": "json_object"},
}
SAID = ["It ", "is\n", "“21”", "."]


class Api(BaseHTTPRequestHandler):
    """Notes a request, and streams an answer to it."""

    asked: list[tuple[str, str | None, dict[str, Any]]]

    def do_POST(self) -> None:
        length = int(self.headers["content-length"])
        body = json.loads(self.rfile.read(length))
        self.asked.append((self.path, self.headers["authorization"], body))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        for text in SAID:
            chunk = {
                "id": "c",
                "object": "chat.completion.chunk",
                "created": 0,
                "model": "m",
                "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}],
            }
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def api() -> Iterator[tuple[str, type[Api]]]:
    class Own(Api):
        asked = []

    server = ThreadingHTTPServer(("127.0.0.1", 0), Own)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", Own
    server.shutdown()
    server.server_close()


async def test_every_sample_runs_as_it_is_shown(api: tuple[str, type[Api]], tmp_path: Path) -> None:
    url, seen = api
    request = ChatRequest(url, BODY, REMARK)
    for written, name, command in (
        (curl(request), "sample.sh", ["bash", "-euo", "pipefail"]),
        (python(request), "sample.py", [sys.executable]),
        (javascript(request), "sample.mjs", [str(node())]),
    ):
        assert "FAREBOX_API_KEY" in written
        assert "fb_live_" not in written
        file = tmp_path / name
        file.write_text(written)
        process = await asyncio.create_subprocess_exec(
            *command,
            str(file),
            env={**os.environ, "FAREBOX_API_KEY": "fb_live_of_a_test"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, problem = await process.communicate()
        assert process.returncode == 0, problem.decode()
        path, credential, body = seen.asked.pop()
        assert path == "/v1/chat/completions"
        assert credential == "Bearer fb_live_of_a_test"
        assert body == {**BODY, "stream": True}
        if name == "sample.sh":
            assert json.dumps(SAID[0])[1:-1] in output.decode()
        else:
            assert output.decode() == "".join(SAID) + "\n"


@pytest.mark.timeout(1800)  # Go compiles its own library first
@pytest.mark.parametrize("language", ["go", "java"])
async def test_a_compiled_sample_runs_as_it_is_shown(
    language: str, api: tuple[str, type[Api]], tmp_path: Path
) -> None:
    if language == "java" and not (shutil.which("java") and shutil.which("javac")):
        pytest.skip("There is no Java on this machine")
    command = ["java"] if language == "java" else [str(tools.go()), "run"]
    url, seen = api
    body = BODY | {"user": '`quoted` \ufeff """ \\u0041'}
    sample = go if language == "go" else java
    file = tmp_path / ("ask.go" if language == "go" else "Ask.java")
    file.write_text(sample(ChatRequest(url, body, REMARK)), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        *command,
        str(file),
        env={
            **os.environ,
            "FAREBOX_API_KEY": "fb_live_of_a_test",
            **tools.ENVIRONMENT,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, problem = await process.communicate()
    assert process.returncode == 0, problem.decode()
    path, credential, asked = seen.asked.pop()
    assert (path, credential) == ("/v1/chat/completions", "Bearer fb_live_of_a_test")
    assert asked == {**body, "stream": True}
    if language == "go":
        assert output.decode() == "".join(SAID) + "\n"
    else:
        parts = [json.loads(line) for line in output.decode().splitlines()]
        assert [part["choices"][0]["delta"]["content"] for part in parts] == SAID


def test_uploaded_pictures_stand_as_a_pixel() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 9999}}
    linked = {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}
    held = {"type": "image_url", "image_url": {"url": "/downloads/pictures/0a"}}
    body = {"messages": [{"role": "user", "content": [picture, linked, held]}, {"content": "text"}]}
    shown = shown_request("https://api.example.com", body)
    pixel = {"type": "image_url", "image_url": {"url": PIXEL}}
    assert shown.body["messages"][0]["content"] == [pixel, linked, pixel]
    assert shown.body["messages"][1] == {"content": "text"}
    for sample, mark in ((curl, "#"), (python, "#"), (javascript, "//"), (go, "//"), (java, "//")):
        assert sample(shown).startswith(f"{mark} {REMARK}\n")
    alone = {"messages": [{"role": "user", "content": [linked]}]}
    assert shown_request("https://api.example.com", alone).remark == ""
