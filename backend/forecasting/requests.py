"""How the API asks for a forecast: by a message that any worker may take. A lost one is repeated
by the next reader."""

from __future__ import annotations

from backend.metering.errors import QueueUnavailable
from backend.metering.ingest.stream import UsageStream
from backend.settings import Settings


def forecast_subject(settings: Settings) -> str:
    """Return the subject that forecasts are asked for on; no stream keeps it."""
    return f"{settings.stream_name}.forecast"


async def ask_for_forecast(stream: UsageStream, settings: Settings, tenant_id: str) -> None:
    """Ask the workers to compute a tenant's forecast; raise ``Unavailable`` if NATS is away."""
    await stream.jetstream()
    if stream.client is None or not stream.client.is_connected:
        raise QueueUnavailable("The queue can't be reached.")
    await stream.client.publish(forecast_subject(settings), tenant_id.encode())
