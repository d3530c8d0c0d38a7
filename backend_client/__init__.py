"""A typed client for Farebox's API, and the wire types that it speaks.

Each name is imported when it is first asked for: who needs a few of the types, as Farebox's own
programs do, starts in half the time without the client and all others.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from backend_client._version import __version__

if TYPE_CHECKING:
    from backend_client._async.client import AsyncFareboxClient
    from backend_client._async.pager import AsyncPager
    from backend_client._sync.client import FareboxClient
    from backend_client._sync.pager import Pager
    from backend_client.errors import (
        ApiError,
        BadRequest,
        ClientError,
        Conflict,
        Forbidden,
        InvalidInput,
        NotFound,
        PaymentRequired,
        RateLimited,
        TooLarge,
        Unauthenticated,
        Unavailable,
        UnexpectedAnswer,
    )
    from backend_client.profiles import INTERACTIVE, PATIENT, Profile, Retries
    from backend_client.responses import RawResponse

__all__ = [
    "INTERACTIVE",
    "PATIENT",
    "ApiError",
    "AsyncFareboxClient",
    "AsyncPager",
    "BadRequest",
    "ClientError",
    "Conflict",
    "FareboxClient",
    "Forbidden",
    "InvalidInput",
    "NotFound",
    "Pager",
    "PaymentRequired",
    "Profile",
    "RateLimited",
    "RawResponse",
    "Retries",
    "TooLarge",
    "Unauthenticated",
    "Unavailable",
    "UnexpectedAnswer",
    "__version__",
]

_HOMES = {
    "_async.client": ["AsyncFareboxClient"],
    "_async.pager": ["AsyncPager"],
    "_sync.client": ["FareboxClient"],
    "_sync.pager": ["Pager"],
    "profiles": ["INTERACTIVE", "PATIENT", "Profile", "Retries"],
    "responses": ["RawResponse"],
}
"""The modules of the names; those of no other are in ``errors``."""
_HOME = {name: module for module, names in _HOMES.items() for name in names}


if not TYPE_CHECKING:  # else a checker would take any name for one of these

    def __getattr__(name: str) -> Any:
        """Import a name from its module (PEP 562)."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_HOME.get(name, 'errors')}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
