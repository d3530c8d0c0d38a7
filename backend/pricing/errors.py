"""Why an amount or a price can't be what it is said to be."""

from __future__ import annotations

from backend.errors import InvalidInput


class TooManyDecimals(InvalidInput):
    """Money has no more decimals than its currency has: round it, as nothing here does for you."""

    code, title = "too_many_decimals", "The amount has too many decimals"


class OwnPriceNotUsable(InvalidInput):
    """A price agreed with a customer does not fit a charge, or leaves no plan that can be."""

    code, title = "own_price_not_usable", "The own price does not fit the plan"
