"""Why the API itself refuses a request, before or beside what a room says."""

from __future__ import annotations

from backend.errors import (
    FareboxError,
    Forbidden,
    InvalidInput,
    NotFound,
    RateLimited,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UnsupportedMedia,
)
from backend_client.types.problems import FieldError


class InternalError(FareboxError):
    """Farebox's fault; `request_id` finds it in the log."""

    status, code, title = 500, "internal_error", "Something went wrong"


class DatabaseUnavailable(Unavailable):
    """PostgreSQL can't be reached; nothing was changed: send it again later."""

    code, title = "database_unavailable", "The database can't be reached"


class RouteNotFound(NotFound):
    """The API has no such path; `GET /openapi.json` lists those that there are."""

    code, title = "route_not_found", "There is no such path"


class MethodNotAllowed(FareboxError):
    """The path is there, but not with this method; the header `allow` lists those that are."""

    status, code, title = 405, "method_not_allowed", "The path does not take this method"


class UnknownQueryParameter(InvalidInput):
    """The route takes no parameter of this name; `detail` says which one may be meant."""

    code, title = "unknown_query_parameter", "There is no such query parameter"


class BodyTooLarge(TooLarge):
    """The body is over the limit that `detail` names, before or after it is unpacked."""

    code, title = "body_too_large", "The body is too large"


class TooMuchAtOnce(RateLimited):
    """All that is being sent at this moment is more than this process holds: send it again soon."""

    code, title = "too_much_at_once", "Too much is being sent at once; send it again in a moment"


class UnsupportedContentType(UnsupportedMedia):
    """The body's `content-type` is one that this route does not read."""

    code, title = "unsupported_content_type", "The body is of another kind"


class UnsupportedEncoding(UnsupportedMedia):
    """The body's `content-encoding` is neither gzip nor none."""

    code, title = "unsupported_encoding", "The body's encoding must be gzip, or none"


class CredentialMissing(Unauthenticated):
    """The request has no `authorization: Bearer` header."""

    code, title = "credential_missing", "No credential was sent"


class WrongLocalSecret(Unauthenticated):
    """What was sent is not what this machine's file for the local sign-in holds."""

    code, title = "wrong_local_secret", "The local sign-in's secret is wrong"


class LocalSignInOff(Forbidden):
    """Nobody can sign in locally: others can reach this installation, or it is not set up."""

    code, title = "local_sign_in_off", "Local sign-in is not possible here"


class IdentityProviderNotConfigured(Forbidden):
    """Nobody can sign in with an identity provider, since none is configured."""

    code, title = "identity_provider_not_configured", "No identity provider is configured here"


class TenantNotNamed(InvalidInput):
    """An operator's key acts for no tenant: name the one that is meant in `tenant`."""

    code, title = "tenant_not_named", "An operator's key acts for no tenant: name one"

    def __init__(self) -> None:
        super().__init__(errors=[FieldError(field="tenant", detail="give its id or slug")])


class SpanTooLong(InvalidInput):
    """The question spans more time than one answer may."""

    code, title = "span_too_long", "The question spans too much time"


class EventsRefused(InvalidInput):
    """`errors` names the events by their place, or the fields of a single one; `detail` says
    whether the others were taken."""

    code, title = "events_refused", "Some of these events can't be used"


class CallerLeft(FareboxError):
    """The caller disconnected before its answer began; nobody reads this."""

    status, code, title = 499, "caller_left", "The caller disconnected"
