"""Why plans can't be compared."""

from __future__ import annotations

from backend.errors import InvalidInput, NotFound, RateLimited


class NotForStrangers(InvalidInput):
    """Without a credential only a workload is compared, on plans that anybody may choose."""

    code, title = "not_for_strangers", "This comparison needs a credential"


class PublicCompareOff(NotFound):
    """The seller shows plans only to who is signed in: see `FAREBOX_PUBLIC_COMPARE`."""

    code, title = "public_compare_off", "Plans are not compared here without a credential"


class TooManyComparisons(RateLimited):
    """So many comparisons were asked for from one address: wait, as `retry-after` says."""

    code, title = "too_many_comparisons", "Too many comparisons from this address"
