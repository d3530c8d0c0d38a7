"""Prompts that people keep, in versions."""

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
from backend.api.path_parameters import PromptId
from backend.playground.prompts import (
    add_version,
    change_prompt,
    create_prompt,
    list_prompts,
    list_versions,
    remove_prompt,
)
from backend_client.types.common import Page
from backend_client.types.playground import (
    PromptChange,
    PromptCreate,
    PromptVersion,
    PromptVersionCreate,
    SavedPrompt,
)

router = APIRouter(tags=["playground"])

Developer = Annotated[Principal, Depends(needs(Permission.PLAYGROUND))]


@router.get("/v1/prompts")
async def get_prompts(
    services: ServicesNow, caller: Developer, cursor: PageCursor = None, limit: PageLimit = 50
) -> Page[SavedPrompt]:
    """List the person's prompts, and those that others of the tenant shared; newest first."""
    async with services.database.begin() as connection:
        return await list_prompts(connection, caller, cursor=cursor, limit=limit)


@router.post("/v1/prompts", status_code=201)
async def post_prompt(
    services: ServicesNow,
    caller: Developer,
    wanted: PromptCreate,
    idempotency_key: IdempotencyKey = None,
) -> SavedPrompt:
    """Keep a prompt, with its first version."""
    async with services.database.begin() as connection:
        return await create_prompt(
            connection, caller, wanted, now=datetime.now(UTC), idempotency_key=idempotency_key
        )


@router.patch("/v1/prompts/{prompt_id}")
async def patch_prompt(
    services: ServicesNow, caller: Developer, prompt_id: PromptId, change: PromptChange
) -> SavedPrompt:
    """Rename one of the person's own prompts, or share it with the tenant's other members."""
    async with services.database.begin() as connection:
        prompt = await change_prompt(connection, caller, prompt_id, change, now=datetime.now(UTC))
        await record(
            connection, caller, "prompt.change", prompt.id, detail={"shared": prompt.shared}
        )
        return prompt


@router.delete("/v1/prompts/{prompt_id}", status_code=204)
async def delete_prompt(services: ServicesNow, caller: Developer, prompt_id: PromptId) -> None:
    """Remove one of the person's own prompts, with its versions, for good."""
    async with services.database.begin() as connection:
        await remove_prompt(connection, caller, prompt_id)
        await record(connection, caller, "prompt.remove", prompt_id)


@router.get("/v1/prompts/{prompt_id}/versions")
async def get_prompt_versions(
    services: ServicesNow,
    caller: Developer,
    prompt_id: PromptId,
    cursor: PageCursor = None,
    limit: PageLimit = 50,
) -> Page[PromptVersion]:
    """List a prompt's versions with their content, newest first."""
    async with services.database.begin() as connection:
        return await list_versions(connection, caller, prompt_id, cursor=cursor, limit=limit)


@router.post("/v1/prompts/{prompt_id}/versions", status_code=201)
async def post_prompt_version(
    services: ServicesNow, caller: Developer, prompt_id: PromptId, wanted: PromptVersionCreate
) -> PromptVersion:
    """Add the next version to one of the person's own prompts.

    What the newest version holds already adds none: the answer is that version.
    """
    async with services.database.begin() as connection:
        return await add_version(
            connection, caller, prompt_id, wanted.content, now=datetime.now(UTC)
        )
