"""Why a subscription, a coupon or a contract can't be changed as asked."""

from __future__ import annotations

from backend.errors import Conflict, Forbidden, NotFound


class SubscriptionNotFound(NotFound):
    """The tenant has no plan at that moment."""

    code, title = "subscription_not_found", "This tenant has no plan now"


class PrepaidNotBackdated(Conflict):
    """Calls on a prepaid plan were paid when they were made: let the plan begin now."""

    code, title = "prepaid_not_backdated", "A prepaid plan can't begin in the past"


class SubscriptionExists(Conflict):
    """A tenant has one subscription, which goes from plan to plan."""

    code = "subscription_exists"
    title = "This tenant has a subscription already; change its plan instead"


class SubscriptionPaused(NotFound):
    """The subscription is paused, so no plan is in force."""

    code, title = "subscription_paused", "This tenant's subscription is paused"


class SubscriptionAlreadyPaused(Conflict):
    """It is paused at the moment when the pause would begin."""

    code, title = "subscription_already_paused", "The subscription is paused already"


class SubscriptionNotPaused(Conflict):
    """There is nothing to resume."""

    code, title = "subscription_not_paused", "The subscription is not paused"


class NoYearlyFee(Conflict):
    """The subscription can't end with its year, since no yearly fee will be charged again."""

    code, title = "no_yearly_fee", "There is no yearly fee that would be asked for again"


class PlanByContract(Forbidden):
    """Only the seller can put a tenant on this plan."""

    code, title = "plan_by_contract", "The plan is by contract"


class PricesByOperator(Forbidden):
    """Only the seller can agree other prices with a tenant than the plan has."""

    code, title = "prices_by_operator", "A tenant's own prices are set by the seller"


class PlanCurrencyMismatch(Conflict):
    """The plan has no prices in the currency that the tenant is billed in."""

    code, title = "plan_currency_mismatch", "The plan has no prices in the tenant's currency"


class PlanRatedElsewhere(Conflict):
    """A billing platform rates the tenant's usage, by whole billing periods."""

    code = "plan_rated_elsewhere"
    title = "A platform rates this tenant's usage: its plan changes between two billing periods"


class CouponNotFound(NotFound):
    """No coupon has this id."""

    code, title = "coupon_not_found", "There is no such coupon"


class CouponIdTaken(Conflict):
    """A coupon of this id is there with other terms: choose another id."""

    code, title = "coupon_id_taken", "Another coupon has this id, and a coupon never changes"


class CouponCurrencyMismatch(Conflict):
    """An amount off is in one currency, and the tenant is billed in another."""

    code, title = "coupon_currency_mismatch", "The coupon is in another currency"


class CouponExpired(Conflict):
    """The time to redeem the coupon is over."""

    code, title = "coupon_expired", "This coupon has expired"


class CouponUsedUp(Conflict):
    """As many tenants have redeemed it as its terms allow."""

    code, title = "coupon_used_up", "This coupon has been redeemed as often as it may be"


class ContractNotFound(NotFound):
    """The tenant has no such contract."""

    code, title = "contract_not_found", "There is no such contract"


class ContractOverlap(Conflict):
    """The tenant has another contract for a part of that time."""

    code = "contract_overlap"
    title = "The tenant has a contract for a part of that time already"


class ContractWithoutCommitment(Conflict):
    """The contract has no commitment that could be amended."""

    code, title = "contract_without_commitment", "This contract has no commitment"
