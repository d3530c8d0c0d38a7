"""The guide to webhooks: its table is the code's list, and its samples verify what is sent."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from backend.outbox.channels.webhook import signed_headers
from backend_client.types.notifications import NotificationEvent
from backend_client.types.webhooks import CUSTOMER_EVENTS
from portal.documentation.guides import FILES
from tests.support.go import ENVIRONMENT, go
from tests.support.node import node

pytestmark = pytest.mark.slow

GUIDE = (FILES / "webhooks.md").read_text()
KEYS = [bytes([number]) * 32 for number in (1, 2)]
SECRETS = [f"whsec_{base64.b64encode(key).decode()}" for key in KEYS]
BODY = '{"say": "Grüße"}'.encode()
SECONDS = 1500
"""For a compiler on a busy machine."""


def sample(language: str) -> str:
    [block] = re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    return str(block)


def cases() -> list[tuple[str, dict[str, str], str, bool]]:
    """Secret, headers, body in base64, and whether it is genuine."""
    headers = signed_headers(KEYS, "ntf_1", BODY)
    only_first = signed_headers(KEYS[:1], "ntf_1", BODY)
    old = {**headers, "webhook-timestamp": str(int(time.time()) - 3600)}
    other = {**headers, "webhook-id": "ntf_2"}
    whole, changed = (base64.b64encode(body).decode() for body in (BODY, BODY + b" "))
    return [
        (SECRETS[0], headers, whole, True),
        (SECRETS[1], headers, whole, True),
        (SECRETS[1], only_first, whole, False),
        (SECRETS[0], headers, changed, False),
        (SECRETS[0], old, whole, False),
        (SECRETS[0], other, whole, False),
    ]


def test_the_table_is_the_list_of_the_code() -> None:
    rows = re.findall(r"^\| `([a-z_.]+)` \| (.+) \|$", GUIDE, re.MULTILINE)
    assert rows == [(kind.value, when) for kind, when in CUSTOMER_EVENTS.items()]


def test_the_example_is_an_event() -> None:
    adapter: TypeAdapter[NotificationEvent] = TypeAdapter(NotificationEvent)
    example = json.loads(sample("json"))
    assert adapter.validate_python(example).model_dump(mode="json") == example


async def test_python() -> None:
    names: dict[str, Any] = {}
    await asyncio.to_thread(exec, sample("python"), names)
    for secret, headers, body, genuine in cases():
        assert names["is_genuine"](secret, headers, base64.b64decode(body)) is genuine


def test_javascript(tmp_path: Path) -> None:
    file = tmp_path / "check.mjs"
    file.write_text(
        sample("javascript")
        + f"""
for (const [secret, headers, body] of {json.dumps([case[:3] for case in cases()])}) {{
  console.log(isGenuine(secret, headers, Buffer.from(body, "base64")));
}}
"""
    )
    assert ran([str(node()), str(file)]) == wanted()


def test_java(tmp_path: Path) -> None:
    java = shutil.which("java")
    if java is None or shutil.which("javac") is None:
        pytest.skip("There is no JDK on this machine")
    calls = "\n".join(
        f"check({text(secret)}, Map.of({pairs(headers, ', ')}), {text(body)});"
        for secret, headers, body, _ in cases()
    )
    imports, _, rest = sample("java").partition("class Webhooks")
    file = tmp_path / "Check.java"
    file.write_text(
        f"""{imports}
class Check {{
    static void check(String secret, Map<String, String> headers, String body) throws Exception {{
        System.out.println(Webhooks.isGenuine(secret, headers, Base64.getDecoder().decode(body)));
    }}
    public static void main(String[] given) throws Exception {{
        {calls}
    }}
}}
class Webhooks{rest}
"""
    )
    assert ran([java, str(file)]) == wanted()


@pytest.mark.timeout(1800)  # Go compiles its own library first
def test_go(tmp_path: Path) -> None:
    calls = "\n".join(
        f"\tcheck({text(secret)}, map[string]string{{{pairs(headers, ': ')}}}, {text(body)})"
        for secret, headers, body, _ in cases()
    )
    (tmp_path / "webhooks.go").write_text(sample("go"))
    (tmp_path / "check.go").write_text(
        f"""package main

import (
	"encoding/base64"
	"fmt"
	"net/http"
)

func check(secret string, sent map[string]string, encoded string) {{
	headers := http.Header{{}}
	for name, value := range sent {{
		headers.Set(name, value)
	}}
	body, _ := base64.StdEncoding.DecodeString(encoded)
	fmt.Println(isGenuine(secret, headers, body))
}}

func main() {{
{calls}
}}
"""
    )
    files = [str(tmp_path / name) for name in ("webhooks.go", "check.go")]
    assert ran([str(go()), "run", *files], **ENVIRONMENT) == wanted()


def pairs(headers: dict[str, str], between: str) -> str:
    return ", ".join(f"{text(name)}{between}{text(value)}" for name, value in headers.items())


def text(value: str) -> str:
    return json.dumps(value)


def ran(command: list[str], **environment: str) -> list[str]:
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def wanted() -> list[str]:
    return [str(genuine).lower() for *_, genuine in cases()]
