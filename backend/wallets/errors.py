"""Why credit can't be spent, bought or paid back."""

from __future__ import annotations

from backend.errors import Conflict, NotFound, PaymentRequired


class CreditExhausted(PaymentRequired):
    """The wallet holds less than the call can cost: more credit helps, trying again does not."""

    code, title = "insufficient_credit", "Not enough credit"


class GrantNotFound(NotFound):
    """The wallet has no such grant."""

    code, title = "grant_not_found", "There is no such grant"


class CreditNotBought(Conflict):
    """A plan or the seller gave the grant, so no money came in for it."""

    code = "credit_not_bought"
    title = "This credit was given away; only bought credit is refunded"


class CreditOfContract(Conflict):
    """Invoices of a contract's instalments ask for it: credit those, or declare them void."""

    code = "credit_of_contract"
    title = "A contract brought this credit: credit the invoices of its instalments instead"


class TopUpNotFound(NotFound):
    """The wallet has no such top-up."""

    code, title = "top_up_not_found", "There is no such top-up"


class TopUpAlreadyFinished(Conflict):
    """It was said to be paid or failed before, in another way or with another reference."""

    code, title = "top_up_already_finished", "This top-up is finished already"
