"""A person's conversations with models, as the playground keeps them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends

from backend.accounts.audit.writing import record
from backend.accounts.principal import Permission, Principal
from backend.api.dependencies import (
    IdempotencyKey,
    PageCursor,
    PageLimit,
    ServicesNow,
    needs,
)
from backend.api.path_parameters import ConversationId
from backend.playground.conversations import (
    create_conversation,
    find_conversation,
    list_conversations,
    remove_all,
    remove_conversation,
    replace_conversation,
)
from backend_client.types.playground import (
    Conversation,
    ConversationHistory,
    ConversationWrite,
)

router = APIRouter(tags=["playground"])

Developer = Annotated[Principal, Depends(needs(Permission.PLAYGROUND))]


@router.get("/v1/conversations")
async def get_conversations(
    services: ServicesNow, caller: Developer, cursor: PageCursor = None, limit: PageLimit = 50
) -> ConversationHistory:
    """List the person's conversations, and those that others of the tenant shared; latest first."""
    async with services.database.begin() as connection:
        return await list_conversations(
            connection,
            caller,
            cursor=cursor,
            limit=limit,
            kept_days=services.settings.conversation_days,
        )


@router.get("/v1/conversations/{conversation_id}")
async def get_conversation(
    services: ServicesNow, caller: Developer, conversation_id: ConversationId
) -> Conversation:
    """Return a conversation with all that was said."""
    async with services.database.begin() as connection:
        return await find_conversation(
            connection, caller, conversation_id, kept_days=services.settings.conversation_days
        )


@router.post("/v1/conversations", status_code=201)
async def post_conversation(
    services: ServicesNow,
    caller: Developer,
    wanted: ConversationWrite,
    idempotency_key: IdempotencyKey = None,
) -> Conversation:
    """Keep a conversation."""
    kept_days = services.settings.conversation_days
    async with services.database.begin() as connection:
        return await create_conversation(
            connection,
            caller,
            wanted,
            now=datetime.now(UTC),
            kept_days=kept_days,
            idempotency_key=idempotency_key,
        )


@router.put("/v1/conversations/{conversation_id}")
async def put_conversation(
    services: ServicesNow,
    caller: Developer,
    conversation_id: ConversationId,
    wanted: ConversationWrite,
) -> Conversation:
    """Keep one of the person's own conversations as it is now, in place of what it was."""
    kept_days = services.settings.conversation_days
    async with services.database.begin() as connection:
        return await replace_conversation(
            connection,
            caller,
            conversation_id,
            wanted,
            now=datetime.now(UTC),
            kept_days=kept_days,
        )


@router.delete("/v1/conversations/{conversation_id}", status_code=204)
async def delete_conversation(
    services: ServicesNow, caller: Developer, conversation_id: ConversationId
) -> None:
    """Remove one of the person's own conversations for good."""
    async with services.database.begin() as connection:
        await remove_conversation(connection, caller, conversation_id)
        await record(connection, caller, "conversation.remove", conversation_id)


@router.delete("/v1/conversations", status_code=204)
async def delete_conversations(services: ServicesNow, caller: Developer) -> None:
    """Remove all of the person's own conversations for good."""
    async with services.database.begin() as connection:
        number = await remove_all(connection, caller)
        await record(connection, caller, "conversation.remove", "all", detail={"number": number})
