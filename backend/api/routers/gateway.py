"""OpenAI's routes. Their errors have OpenAI's shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from backend.accounts.principal import Permission, Principal
from backend.api.dependencies import ServicesNow, needs
from backend.gateway.errors import ModelNotFound
from backend.gateway.limits import limit_headers
from backend.gateway.relay import Relay
from backend_client.types.problems import OpenAIProblem

router = APIRouter(
    tags=["openai"],
    responses={"default": {"model": OpenAIProblem, "description": "An error in OpenAI's shape"}},
)

User = Annotated[Principal, Depends(needs(Permission.INFERENCE))]


class _Streamed(StreamingResponse):
    """Closes the provider's answer even if the caller disconnects before or during it."""

    def __init__(self, relay: Relay, headers: Mapping[str, str]) -> None:
        super().__init__(
            relay.events,
            media_type="text/event-stream",
            headers={"x-accel-buffering": "no", **headers},
        )
        self._relay = relay

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the answer (ASGI)."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._relay.abandon()


_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
}


def _described(model: str) -> dict[str, object]:
    return {"id": model, "object": "model", "created": 0, "owned_by": "farebox"}


@router.get("/v1/models")
async def get_models(services: ServicesNow, caller: User) -> dict[str, object]:
    """List the models that the caller can call now."""
    models = await services.gateway.models(caller)
    return {"object": "list", "data": [_described(model) for model in models]}


@router.get("/v1/models/{model:path}")
async def get_model(services: ServicesNow, caller: User, model: str) -> dict[str, object]:
    """Return one model."""
    if model not in await services.gateway.models(caller):
        raise ModelNotFound(f"The model {model!r} does not exist or is not yours to use.")
    return _described(model)


@router.post("/v1/chat/completions", openapi_extra=_BODY, response_class=Response)
async def post_chat_completions(services: ServicesNow, caller: User, request: Request) -> Response:
    """Complete a chat, at once or streamed; its usage is recorded in both cases."""
    gateway = services.gateway
    call = await gateway.begin(caller, await request.body())
    headers = limit_headers(call.limited)
    if call.request.get("stream"):
        return _Streamed(await gateway.open_stream(call), headers)
    answered = await gateway.answer(call)
    return Response(answered, media_type="application/json", headers=dict(headers))
