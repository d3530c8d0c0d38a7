"""A typed client for Farebox's API, and the wire types that it speaks."""

from backend_client.async_client import AsyncFareboxClient
from backend_client.client import FareboxClient
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
from backend_client.transport import Retries

__all__ = [
    "ApiError",
    "AsyncFareboxClient",
    "BadRequest",
    "ClientError",
    "Conflict",
    "FareboxClient",
    "Forbidden",
    "InvalidInput",
    "NotFound",
    "PaymentRequired",
    "RateLimited",
    "Retries",
    "TooLarge",
    "Unauthenticated",
    "Unavailable",
    "UnexpectedAnswer",
]
