"""The playground: a conversation with a model, streamed, with its tokens and cost as they come."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

import reflex as rx

from backend_client import ClientError
from backend_client.types.models import ModelInfo
from portal.features.playground import cost, samples
from portal.features.playground.rows import Message, ModelChoice, about, quantities, within
from portal.kit.formatting import count, fine_money
from portal.kit.vars import computed
from portal.session.guard import DEVELOPERS, Caller, signed_in
from portal.session.page import PageState
from portal.session.state import Session
from portal.session.tabs import connected

FLUSH_SECONDS = 0.04
"""Tokens reach the browser 25 times a second at most, however fast the model is."""
MOST_MESSAGES = 100
DEFAULT_SYSTEM = "You are a helpful assistant. Answer briefly."


@dataclass
class Arriving:
    """What a stream has brought so far, by its reader."""

    text: str = ""
    pieces: int = 0
    shown: int = 0
    counted: dict[str, int] = field(default_factory=dict)
    finished: str = ""


class Playground(PageState, Session):
    """One conversation for each open tab."""

    models: list[ModelChoice] = []
    model: str = ""
    system: str = DEFAULT_SYSTEM
    temperature: float = 0.7
    max_tokens: int = 256
    messages: list[Message] = []
    streaming: bool = False
    tokens_in: str = "–"
    tokens_out: str = "0"
    spent: str = "–"

    _catalog: dict[str, ModelInfo] = {}
    _stop: bool = False
    _total: str = ""

    @computed
    def about(self) -> str:
        """What the chosen model costs."""
        return next((model.about for model in self.models if model.id == self.model), "")

    @computed
    def longest(self) -> int:
        """The longest answer that the chosen model gives, in tokens."""
        return next((model.longest for model in self.models if model.id == self.model), 1024)

    @computed
    def as_curl(self) -> str:
        """The next request as a shell command."""
        return samples.curl(self._request())

    @computed
    def as_python(self) -> str:
        """The next request in Python."""
        return samples.python(self._request())

    @computed
    def as_javascript(self) -> str:
        """The next request in JavaScript."""
        return samples.javascript(self._request())

    @signed_in(background=True)
    async def load(self, caller: Caller) -> None:
        """Load the models there are."""
        on_sale = await caller.client.models.list().all()
        models = [model for model in on_sale if model.available and model.allowed]
        async with self:
            self._catalog = {model.id: model for model in models}
            self.models = [
                ModelChoice(model.id, model.name, about(model), model.max_output_tokens)
                for model in models
            ]
            if self.model not in self._catalog:
                self.model = models[0].id if models else ""
            self._ready()

    @signed_in()
    async def choose_model(self, caller: Caller, model: str) -> None:
        """Choose which model answers."""
        if model in self._catalog:
            self.model = model
            self.max_tokens = min(self.max_tokens, self.longest)

    @signed_in()
    async def set_system(self, caller: Caller, text: str) -> None:
        """Set the system prompt."""
        self.system = text[:8000]

    @signed_in()
    async def set_temperature(self, caller: Caller, chosen: float) -> None:
        """Set how freely the model chooses its words, from 0 to 2."""
        self.temperature = within(chosen, 0.0, 2.0, otherwise=self.temperature)

    @signed_in()
    async def set_max_tokens(self, caller: Caller, chosen: float) -> None:
        """Set how long an answer may get."""
        self.max_tokens = int(within(chosen, 1, self.longest, otherwise=self.max_tokens))

    @signed_in()
    async def clear(self, caller: Caller) -> None:
        """Begin a new conversation."""
        self._stop = True
        self.messages = []
        self.tokens_in, self.tokens_out, self.spent = "–", "0", "–"

    @signed_in()
    async def stop(self, caller: Caller) -> None:
        """Stop the answer that is streaming; what has come stays, and is billed."""
        self._stop = True

    @signed_in(roles=DEVELOPERS, background=True)
    async def ask(self, caller: Caller, form: dict[str, Any]) -> AsyncIterator[Any]:
        """Ask the model and show its answer as it comes.

        The stop button ends it within a flush, and so does the browser going away.
        """
        question = str(form.get("question", "")).strip()
        async with self:
            if self.streaming or not question or not self.model:
                return
            self.messages = [
                *self.messages[-MOST_MESSAGES:],
                Message("user", question),
                Message("assistant", "", streaming=True),
            ]
            self.streaming, self._stop, self.problem = True, False, ""
            request, model = self._request(), self._catalog[self.model]
            self.tokens_in, self.tokens_out, self.spent = "…", "0", "…"
        yield rx.set_value("question", "")
        arriving, began, problem = Arriving(), time.monotonic(), ""
        reading = asyncio.create_task(_read(caller, request, arriving))
        try:
            while not reading.done():
                await asyncio.wait({reading}, timeout=FLUSH_SECONDS)
                async with self:
                    self._show(arriving, model)
                    if self._stop or not connected(self):
                        arriving.finished = "stopped"
                        break
            else:
                reading.result()
        except ClientError as refused:
            problem = str(refused)
        finally:
            # Closes the connection to the API, which ends the answer there and bills what it took
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            async with self:
                self._finish(arriving, model, time.monotonic() - began, problem)

    def _show(self, arriving: Arriving, model: ModelInfo) -> None:
        if arriving.pieces == arriving.shown:
            return
        arriving.shown = arriving.pieces
        if self.messages and self.messages[-1].streaming:
            self.messages[-1] = replace(self.messages[-1], text=arriving.text)
        counted = arriving.counted or {"output_tokens": arriving.pieces}
        if "input_tokens" in counted:
            inputs = counted["input_tokens"] + counted.get("cached_input_tokens", 0)
            self.tokens_in = count(inputs)
        outputs = counted.get("output_tokens", 0) + counted.get("reasoning_tokens", 0)
        self.tokens_out = count(outputs)
        price = cost.estimate(model, counted)
        self.spent = "not priced" if price is None else fine_money(price, cost.currency(model))

    def _finish(self, arriving: Arriving, model: ModelInfo, took: float, problem: str) -> None:
        self._show(arriving, model)
        self.streaming = False
        if self.messages and self.messages[-1].streaming:
            parts = [f"{self.tokens_out} tokens", f"{took:.1f} s", self.spent]
            if arriving.finished == "stopped":
                parts.insert(0, "Stopped")
            if arriving.finished == "length":
                parts.append("cut at max tokens")
            note = f"Failed: {problem}" if problem else " · ".join(parts)
            self.messages[-1] = replace(self.messages[-1], streaming=False, note=note)

    def _request(self) -> samples.ChatRequest:
        """What the next call sends: the system prompt, and the conversation up to a question."""
        messages = [
            {"role": message.role, "content": message.text}
            for message in self.messages
            if message.text
        ]
        if messages and messages[-1]["role"] == "assistant":
            messages.pop()
        if self.system.strip():
            messages.insert(0, {"role": "system", "content": self.system.strip()})
        if not any(message["role"] == "user" for message in messages):
            messages.append({"role": "user", "content": "What is a token?"})
        return samples.ChatRequest(
            self.api_url, self.model, messages, self.temperature, self.max_tokens
        )


async def _read(caller: Caller, request: samples.ChatRequest, arriving: Arriving) -> None:
    """Read a stream to its end into ``arriving``."""
    stream = caller.client.chat.stream(
        model=request.model,
        messages=request.messages,
        temperature=request.temperature,
        max_tokens=request.max_tokens,
        stream_options={"include_usage": True},
    )
    async with contextlib.aclosing(stream) as chunks:
        async for chunk in chunks:
            for choice in chunk.get("choices", []):
                text = choice.get("delta", {}).get("content") or ""
                arriving.text += text
                arriving.pieces += bool(text)
                arriving.finished = choice.get("finish_reason") or arriving.finished
            if usage := chunk.get("usage"):
                arriving.counted = quantities(usage)
                arriving.pieces += 1
