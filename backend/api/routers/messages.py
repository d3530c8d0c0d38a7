"""Anthropic's routes. Their errors have Anthropic's shape."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from backend.accounts.principal import Permission, Principal
from backend.api import gateway_bodies as bodies
from backend.api.dependencies import ServicesNow, needs
from backend.api.gateway_calls import serve
from backend.gateway.protocols.messages import MESSAGES, read_count
from backend_client.types.problems import AnthropicProblem

router = APIRouter(
    tags=["anthropic"],
    responses={
        "default": {"model": AnthropicProblem, "description": "An error in Anthropic's shape"}
    },
)

User = Annotated[Principal, Depends(needs(Permission.INFERENCE))]


@router.post("/v1/messages", openapi_extra=bodies.MESSAGE, response_class=Response)
async def post_messages(services: ServicesNow, caller: User, request: Request) -> Response:
    """Answer by Anthropic's Messages, at once or streamed; its usage is recorded in both cases."""
    return await serve(services.gateway, caller, MESSAGES, request)


@router.post("/v1/messages/count_tokens", openapi_extra=bodies.MESSAGE_COUNT)
async def post_count_tokens(
    services: ServicesNow, caller: User, request: Request
) -> dict[str, int]:
    """Count the tokens of a request, by the tokenizer of the model here. It costs nothing."""
    asked = read_count(await request.body())
    tokenizer = await services.gateway.tokenizer(caller, asked.model)
    counted = await tokenizer.count_chat(asked.messages, asked.tools)
    return {"input_tokens": counted.total}
