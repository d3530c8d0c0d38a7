"""Counting tokens without asking a model."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from backend.accounts.principal import Permission, Principal
from backend.api.dependencies import ServicesNow, needs
from backend.metering.tokens import TokenCount
from backend_client.types.tokens import TokenBreakdown, TokenCountRequest, TokenCountResult

router = APIRouter(tags=["tokens"])


@router.post("/v1/tokens/count")
async def post_count(
    services: ServicesNow,
    caller: Annotated[Principal, Depends(needs(Permission.INFERENCE))],
    wanted: TokenCountRequest,
) -> TokenCountResult:
    """Count the tokens of a chat or a text, by the model's own tokenizer. Nothing is billed."""
    tokenizer = await services.gateway.tokenizer(caller, wanted.model)
    if wanted.messages is not None:
        counted = await tokenizer.count_chat(wanted.messages, wanted.tools or [])
    else:
        counted = TokenCount(text=await tokenizer.count_text(wanted.text or ""))
    return TokenCountResult(
        model=wanted.model,
        tokenizer=tokenizer.setting,
        tokens=counted.total,
        breakdown=TokenBreakdown(
            text=counted.text,
            images=counted.images,
            tools=counted.tools,
            overhead=counted.overhead,
        ),
        exact=counted.exact,
        notes=list(counted.notes),
        pieces=await tokenizer.split_text(wanted.text or "") if wanted.pieces else None,
    )
