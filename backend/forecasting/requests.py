"""How the API requests a forecast: by a message that any worker may take. If it is lost, the next
reader of the forecast sends another."""

from __future__ import annotations

from backend.metering.errors import QueueUnavailable
from backend.metering.ingest.stream import UsageStream
from backend.settings import Settings


def forecast_subject(settings: Settings) -> str:
    """Return the subject of forecast requests; no stream stores it."""
    return f"{settings.stream_name}.forecast"


async def ask_for_forecast(stream: UsageStream, settings: Settings, tenant_id: str) -> None:
    """Request a tenant's forecast from the workers; raise ``Unavailable`` if NATS is away."""
    await stream.jetstream()
    if stream.client is None or not stream.client.is_connected:
        raise QueueUnavailable("The queue can't be reached.")
    await stream.client.publish(forecast_subject(settings), tenant_id.encode())
