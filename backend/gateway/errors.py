"""The errors of the gateway; ``protocols`` word them as their callers expect."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from backend.errors import (
    Conflict,
    FareboxError,
    Forbidden,
    InvalidInput,
    NotFound,
    RateLimited,
    Unavailable,
)
from backend_client.types.limits import LimitName
from backend_client.types.problems import FieldError


class ModelNotFound(NotFound):
    """The model is not in the catalog, or the caller may not use it."""

    code, title = "model_not_found", "No such model"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, errors=[FieldError(field="model", detail=detail)])


class ModelNotInPlan(Forbidden):
    """The model is on sale, but not on the tenant's plan: another plan helps."""

    code, title = "model_not_in_plan", "Not in the plan"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, errors=[FieldError(field="model", detail=detail)])


class NoUsablePlan(Forbidden):
    """The tenant has no plan now, or its subscription is paused, so it can make no calls."""

    code, title = "no_usable_plan", "The tenant has no plan to make calls on"


class TenantOnTestClock(Forbidden):
    """A call is of real time and the tenant's test clock is not: send events with its time."""

    code, title = "tenant_on_test_clock", "A tenant on a test clock makes no calls"


class InvalidRequest(FareboxError):
    """The request can't be forwarded as it is; `param` names the parameter."""

    status, code, title = 400, "invalid_request", "The request is not valid"


class ContextLengthExceeded(InvalidRequest):
    """The messages can't fit into the model's window: shorten them."""

    code, title = "context_length_exceeded", "The prompt is longer than the model's window"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, errors=[FieldError(field="messages", detail=detail)])


class KeyLimited(RateLimited):
    """A limit of the key or the plan is used up for now; the headers have its state."""

    code, title = "rate_limit_exceeded", "A limit is used up for now"

    def __init__(
        self,
        detail: str,
        *,
        retry_after_seconds: float,
        headers: Mapping[str, str],
        held_by_calls: bool,
        limit: LimitName,
        field: str,
    ) -> None:
        """``held_by_calls``: calls under way hold of it what they may not use in the end.

        ``limit`` is the limit's name, as in a key's and a plan's limits, ``field`` says whose too.
        """
        super().__init__(detail, retry_after_seconds=math.ceil(retry_after_seconds))
        self.errors = [FieldError(field=field, detail=detail)]
        self.headers = dict(headers)
        self.held_by_calls = held_by_calls
        self.limit = limit


class RecordingUnavailable(Unavailable):
    """The call was not made, since its usage could not have been recorded."""

    code, title = "recording_unavailable", "Usage can't be recorded at present"


class UpstreamBusy(RateLimited):
    """The model provider limits how much is asked of it: try again later."""

    code, title = "upstream_busy", "The model provider is busy; try again later"


class UpstreamFailed(FareboxError):
    """The model provider failed, could not be reached, or answered what can't be read."""

    status, code, title = 502, "upstream_failed", "The model provider failed"

    def __init__(
        self, detail: str, *, retry_after_seconds: float | None = None, may_pass: bool = True
    ) -> None:
        """``retry_after_seconds`` is the provider's advice; a fault of ours does not pass."""
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds
        self.may_pass = may_pass


class UpstreamRefused(FareboxError):
    """The provider refused the request; the status, and the code if it gave one, are its own."""

    status, code, title = 400, "upstream_refused", "The model provider refused the request"

    def __init__(self, status: int, detail: str, code: str | None, parameter: str | None) -> None:
        named = [FieldError(field=parameter, detail=detail)] if parameter else []
        super().__init__(detail, errors=named)
        self.status = status
        self.code = code or self.code


class RequestNotFound(NotFound):
    """The log has no call of this id; it may have been removed in time."""

    code, title = "request_not_found", "There is no such call in the log"


class UpstreamNotFound(NotFound):
    """No upstream has this name."""

    code, title = "upstream_not_found", "There is no such upstream"


class UpstreamInSettings(Conflict):
    """It is one of `FAREBOX_UPSTREAMS`, and is changed there."""

    code, title = "upstream_in_settings", "The upstream is one of the settings"


class UpstreamRetired(Conflict):
    """It was retired, and its keys are gone: set another, or delete it to use its name again."""

    code, title = "upstream_retired", "The upstream is retired"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} is retired, and its keys are gone. Set an upstream of another name."
        )


class UpstreamNeeded(Conflict):
    """Models would have no upstream left: set another first, or say `leave_unserved`."""

    code, title = "upstream_needed", "Models would have no upstream left"

    def __init__(self, models: Sequence[str]) -> None:
        super().__init__(f"No other upstream serves {', '.join(models)}.")


class UpstreamKeysMissing(Conflict):
    """Its keys are in no variable, or were sealed by another `FAREBOX_SECRETS_KEY`."""

    code, title = "upstream_keys_missing", "The upstream's keys can't be had"


class UpstreamCannotBeTested(InvalidInput):
    """It does not serve the model, or no protocol that a test can be made by."""

    code, title = "upstream_cannot_be_tested", "The upstream can't be tested so"

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(f"{field!r} {detail}.", errors=[FieldError(field=field, detail=detail)])


class UpstreamKeysNeeded(InvalidInput):
    """Kept keys go nowhere else, and no other way, than they were given for."""

    code, title = "upstream_keys_needed", "The upstream's keys are needed again"

    def __init__(self) -> None:
        detail = (
            "are needed again, or [] for none: base_url is another, or calls are signed that were "
            "not, or the other way round"
        )
        super().__init__(f"'keys' {detail}.", errors=[FieldError(field="keys", detail=detail)])
