"""Asks for models and how they perform, as the person who is signed in."""

from __future__ import annotations

from backend_client import NotFound
from backend_client.types.models import ModelInfo, ModelPerformance
from portal.session.guard import Caller


async def models_measured(
    caller: Caller, *, hours: int = 24
) -> list[tuple[ModelInfo, ModelPerformance | None]]:
    """Return the models on sale, each with how it performed over the last hours.

    None for what was called too seldom, and where the API is of before it measured.
    """
    models = await caller.client.models.list().all()
    try:
        measured = await caller.client.models.performance(hours=hours).all()
    except NotFound:
        measured = []
    by_model = {performance.model: performance for performance in measured}
    return [(model, by_model.get(model.id)) for model in models]
