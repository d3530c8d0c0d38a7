"""Why a policy can't be kept, or a month not be closed or booked."""

from __future__ import annotations

from backend.errors import Conflict, InvalidInput, NotFound


class PolicyNotFound(NotFound):
    """No policy of the tenant begins on this day."""

    code, title = "chargeback_policy_not_found", "There is no policy from this day on"


class PolicyNotValid(InvalidInput):
    """The policy contradicts itself: a circle, a code that is there twice or not at all."""

    code, title = "chargeback_policy_not_valid", "The policy can't be followed"


class PolicyChanged(Conflict):
    """Somebody has changed the policy since it was read: read it again."""

    code, title = "chargeback_policy_changed", "The policy has been changed meanwhile"


class PolicyLocked(Conflict):
    """A closed month was computed by it: begin a new policy after that month."""

    code, title = "chargeback_policy_locked", "A closed month depends on this policy"


class ChargebackMonthNotFound(NotFound):
    """No billing period of the tenant begins on this day."""

    code, title = "chargeback_month_not_found", "No month begins on this day"


class ChargebackMonthRunning(Conflict):
    """The month's invoice is not issued yet, so it can't be closed."""

    code, title = "chargeback_month_running", "The month is not invoiced yet"


class ChargebackMonthsInOrder(Conflict):
    """Months are closed in order: an earlier one is open still, or a later one is closed."""

    code, title = "chargeback_months_in_order", "Months are closed in their order"


class ChargebackWithoutPolicy(Conflict):
    """No policy holds at the month's end, so nothing would be allocated."""

    code, title = "chargeback_without_policy", "No policy holds in this month"


class ChargebackNotBooked(Conflict):
    """Journals are of months that were closed while the policy was in the mode ``chargeback``."""

    code, title = "chargeback_not_booked", "This month is not charged back"
