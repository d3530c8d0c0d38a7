"""Code samples are code: each is parsed by the language it is in."""

from __future__ import annotations

import ast
import json
import shlex

import pytest

from portal.features.playground.samples import ChatRequest, curl, javascript, python

pytestmark = pytest.mark.fast

AWKWARD = 'It\'s "quoted",\nand $(rm -rf ~) `too` ${HOME} \\ é 🙂'
REQUEST = ChatRequest(
    base_url="http://127.0.0.1:8080",
    model="smollm2-135m-instruct",
    messages=[{"role": "system", "content": "Answer."}, {"role": "user", "content": AWKWARD}],
    temperature=0.7,
    max_tokens=256,
)


def test_python_says_what_the_playground_sends() -> None:
    calls = {
        call.func.attr if isinstance(call.func, ast.Attribute) else call.func.id: call
        for call in ast.walk(ast.parse(python(REQUEST)))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute | ast.Name)
    }
    sent = {keyword.arg: keyword.value for keyword in calls["create"].keywords}
    assert ast.literal_eval(sent["messages"]) == REQUEST.messages
    assert ast.literal_eval(sent["model"]) == REQUEST.model
    assert ast.literal_eval(sent["temperature"]) == 0.7
    assert ast.literal_eval(sent["max_tokens"]) == 256


def test_curl_passes_the_shell_unharmed() -> None:
    words = shlex.split(curl(REQUEST).replace("\\\n", " "))
    assert words[:2] == ["curl", "http://127.0.0.1:8080/v1/chat/completions"]
    body = json.loads(words[words.index("-d") + 1])
    assert body["messages"] == REQUEST.messages
    assert body["stream"] is True


def test_javascript_has_the_same_messages() -> None:
    text = javascript(REQUEST)
    assert f'"content": {json.dumps(AWKWARD, ensure_ascii=False)}' in text
    assert 'baseURL: "http://127.0.0.1:8080/v1"' in text


def test_no_sample_holds_a_key() -> None:
    for sample in (curl, python, javascript):
        assert "FAREBOX_API_KEY" in sample(REQUEST)
        assert "fb_live_" not in sample(REQUEST)
