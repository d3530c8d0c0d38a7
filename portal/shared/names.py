"""What a tenant calls its applications and keys."""

from __future__ import annotations

from portal.session.guard import Caller


async def names_of(caller: Caller) -> dict[str, str]:
    """What applications and keys are called, by id; models are called by their id."""
    applications = await caller.client.applications.list().all()
    keys = await caller.client.keys.list().all()
    return {
        "": "Playground",
        **{application.id: application.name for application in applications},
        **{key.id: f"{key.name} (…{key.last_four})" for key in keys},
    }
