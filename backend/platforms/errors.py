"""Why a platform can't be used, or does not take something."""

from __future__ import annotations

from backend.errors import Conflict, InvalidInput, MalformedRequest, NotFound, Unavailable


class PlatformNotConfigured(Conflict):
    """The platform has no credential in the settings, so nothing can be sent to it."""

    code, title = "platform_not_configured", "This platform is not configured"


class PlatformUnknown(NotFound):
    """There is no platform of this name."""

    code, title = "platform_unknown", "There is no such platform"


class NotOnPlatform(Conflict):
    """The tenant is on no platform, or not in the mode that this needs."""

    code, title = "not_on_platform", "The tenant is not on this platform"


class PlatformCutOver(Conflict):
    """The tenant can't change platform or mode at that instant."""

    code, title = "platform_cut_over", "The platform can't be changed then"


class ModeNotOffered(Conflict):
    """The platform can't collect from a tenant in this mode, or not from that instant on."""

    code, title = "platform_mode", "The platform does not offer this mode"


class PlanDoesNotFit(Conflict):
    """The platform can't express the plan, so it can't rate the tenant's usage."""

    code, title = "plan_does_not_fit", "The platform can't express this plan"


class DispatchNotFound(NotFound):
    """There is nothing of this id that is sent to a platform."""

    code, title = "dispatch_not_found", "There is no such dispatch"


class DispatchNotRefused(Conflict):
    """Only what a platform refused can be sent again."""

    code, title = "dispatch_not_refused", "This was not refused"


class WebhookRefused(MalformedRequest):
    """The signature of a webhook is missing, wrong or too old."""

    code, title = "webhook_refused", "The webhook's signature is not valid"


class NothingToPay(Conflict):
    """The invoice or the top-up asks for no payment by this platform now."""

    code, title = "nothing_to_pay", "There is nothing to pay here"


class PlatformAway(Unavailable):
    """The platform can't be reached, or does not answer as it should."""

    code, title = "platform_away", "The platform can't be reached"


class AmountNotPayable(InvalidInput):
    """The amount has more decimals than can be paid in its currency."""

    code, title = "amount_not_payable", "The amount can't be paid in this currency"


class NoPlatformForTestClocks(Conflict):
    """Nothing of a tenant on a test clock is sent to a platform: it would ask for real money."""

    code = "no_platform_for_test_clocks"
    title = "A tenant on a test clock is on no billing platform"
