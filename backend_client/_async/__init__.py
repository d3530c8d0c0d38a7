"""How the client sends, and its resources: written over asyncio, generated without it."""
