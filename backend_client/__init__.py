"""A typed client for Farebox's API, and the wire types that it speaks."""

from backend_client._async.client import AsyncFareboxClient
from backend_client._async.pager import AsyncPager
from backend_client._sync.client import FareboxClient
from backend_client._sync.pager import Pager
from backend_client._version import __version__
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
