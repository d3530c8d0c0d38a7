"""The platforms that the settings name, ready to be spoken to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from backend.platforms.adapter import Adapter
from backend.platforms.amberflo.adapter import Amberflo
from backend.platforms.amberflo.calls import AmberfloCalls
from backend.platforms.errors import PlatformNotConfigured, PlatformUnknown
from backend.platforms.orb.adapter import Orb
from backend.platforms.orb.calls import OrbCalls
from backend.platforms.rates import Pace
from backend.platforms.remote_ids import StoredMemory
from backend.platforms.stripe.adapter import Stripe
from backend.platforms.stripe.calls import StripeCalls
from backend.settings import Settings
from backend.storage.database import Database
from backend_client.types.platforms import PlatformName

_LIVE_METER_EVENTS_PER_SECOND: Final = 800.0
"""Below the 1,000 that Stripe takes of a live account."""


@dataclass(frozen=True, slots=True)
class Platform:
    """A platform that can be configured: by which setting, and what opens it then."""

    credential: str
    open: Callable[[Database, Settings], Adapter | None]


def open_adapters(database: Database, settings: Settings) -> dict[str, Adapter]:
    """Return an adapter for each platform with a credential, by its name."""
    opened = (platform.open(database, settings) for platform in PLATFORMS.values())
    return {adapter.name: adapter for adapter in opened if adapter is not None}


def has_platform(settings: Settings) -> bool:
    """Return whether a platform has a credential."""
    keys = (getattr(settings, platform.credential) for platform in PLATFORMS.values())
    return any(key is not None for key in keys)


def open_stripe(database: Database, settings: Settings) -> Stripe | None:
    """Return Stripe's adapter; None without a key."""
    key = settings.stripe_secret_key
    if key is None:
        return None
    per_second = settings.stripe_requests_per_second
    live = "_live_" in key.get_secret_value()[:12]
    usage_per_second = _LIVE_METER_EVENTS_PER_SECOND if live else per_second
    calls = StripeCalls(
        settings.stripe_url,
        key,
        Pace(database, "stripe", per_second),
        Pace(database, "stripe.usage", usage_per_second),
    )
    stream = settings.stripe_meter_events == "stream"
    # Plans are no tenant's: their meters and prices are kept under no name
    shared = StoredMemory(database, Stripe.name, "")
    return Stripe(calls, settings.stripe_webhook_secrets, shared, stream=stream)


def open_orb(database: Database, settings: Settings) -> Orb | None:
    """Return Orb's adapter; None without a key."""
    key = settings.orb_api_key
    if key is None:
        return None
    calls = OrbCalls(settings.orb_url, key, Pace(database, "orb", settings.orb_requests_per_second))
    # Items, metrics and plans are no tenant's: they are kept under no name
    shared = StoredMemory(database, Orb.name, "")
    grace = timedelta(hours=settings.orb_grace_hours)
    return Orb(calls, settings.orb_webhook_secrets, shared, grace=grace)


def open_amberflo(database: Database, settings: Settings) -> Amberflo | None:
    """Return Amberflo's adapter; None without a key."""
    key = settings.amberflo_api_key
    if key is None:
        return None
    calls = AmberfloCalls(
        settings.amberflo_url,
        settings.amberflo_ingest_url,
        key,
        Pace(database, "amberflo", settings.amberflo_requests_per_second),
    )
    # Plans are no tenant's: they are kept under no name
    shared = StoredMemory(database, Amberflo.name, "")
    return Amberflo(calls, settings.amberflo_webhook_secrets, shared)


PLATFORMS: Final[Mapping[PlatformName, Platform]] = {
    PlatformName.STRIPE: Platform("stripe_secret_key", open_stripe),
    PlatformName.ORB: Platform("orb_api_key", open_orb),
    PlatformName.AMBERFLO: Platform("amberflo_api_key", open_amberflo),
}
"""Every platform: the worker, the API and the commands know those that are here, and no others."""


def adapter_of(adapters: Mapping[str, Adapter], platform: str) -> Adapter:
    """Return a platform's adapter; raise ``NotFound``, or ``Conflict`` without a credential."""
    if platform not in list(PlatformName):
        raise PlatformUnknown()
    if platform not in adapters:
        key = PLATFORMS[PlatformName(platform)].credential.upper()
        raise PlatformNotConfigured(f"Set FAREBOX_{key}: without it nothing can be sent.")
    return adapters[platform]
