"""What people keep of the playground."""

from __future__ import annotations

from backend_client._async.pager import AsyncPager
from backend_client._async.resources.resource import AsyncResource
from backend_client.calls import create, delete, edit, get, path, send
from backend_client.queries import query
from backend_client.types.common import Page
from backend_client.types.playground import (
    Conversation,
    ConversationHistory,
    ConversationWrite,
    PromptChange,
    PromptCreate,
    PromptVersion,
    PromptVersionCreate,
    SavedPrompt,
)


class AsyncConversationsResource(AsyncResource):
    """A person's conversations; for a session, not for keys."""

    async def list(
        self, *, limit: int | None = None, cursor: str | None = None
    ) -> ConversationHistory:
        """List the person's own conversations and those shared with them, latest first."""
        at = path("conversations")
        params = query(limit=limit, cursor=cursor)
        return await self._sender.send(get(at, ConversationHistory, params))

    async def get(self, conversation_id: str) -> Conversation:
        """Get a conversation with all that was said."""
        return await self._sender.send(get(path("conversations", conversation_id), Conversation))

    async def create(self, conversation: ConversationWrite) -> Conversation:
        """Keep a conversation."""
        return await self._sender.send(create(path("conversations"), conversation, Conversation))

    async def replace(self, conversation_id: str, conversation: ConversationWrite) -> Conversation:
        """Keep one of the person's own conversations as it is now."""
        at = path("conversations", conversation_id)
        call = send("PUT", at, conversation, Conversation, repeatable=True)
        return await self._sender.send(call)

    async def delete(self, conversation_id: str) -> None:
        """Remove one of the person's own conversations."""
        await self._sender.send(delete(path("conversations", conversation_id), repeatable=False))

    async def delete_all(self) -> None:
        """Remove all of the person's own conversations."""
        await self._sender.send(delete(path("conversations"), repeatable=True))


class AsyncPromptsResource(AsyncResource):
    """Prompts in versions; for a session, not for keys."""

    def list(
        self, *, limit: int | None = None, cursor: str | None = None
    ) -> AsyncPager[SavedPrompt]:
        """List the person's own prompts and those shared with them, newest first."""
        call = get(path("prompts"), Page[SavedPrompt], query(limit=limit, cursor=cursor))
        return AsyncPager(self._sender, call)

    async def create(self, prompt: PromptCreate) -> SavedPrompt:
        """Keep a prompt, with its first version."""
        return await self._sender.send(create(path("prompts"), prompt, SavedPrompt))

    async def update(self, prompt_id: str, change: PromptChange) -> SavedPrompt:
        """Rename one of the person's own prompts, or share it."""
        return await self._sender.send(edit(path("prompts", prompt_id), change, SavedPrompt))

    async def delete(self, prompt_id: str) -> None:
        """Remove one of the person's own prompts, with its versions."""
        await self._sender.send(delete(path("prompts", prompt_id), repeatable=False))

    def versions(
        self, prompt_id: str, *, limit: int | None = None, cursor: str | None = None
    ) -> AsyncPager[PromptVersion]:
        """List a prompt's versions with their content, newest first."""
        at = path("prompts", prompt_id, "versions")
        call = get(at, Page[PromptVersion], query(limit=limit, cursor=cursor))
        return AsyncPager(self._sender, call)

    async def add_version(self, prompt_id: str, version: PromptVersionCreate) -> PromptVersion:
        """Add the next version; what the newest holds already adds none."""
        at = path("prompts", prompt_id, "versions")
        call = send("POST", at, version, PromptVersion, repeatable=True)
        return await self._sender.send(call)
