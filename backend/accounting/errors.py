"""Why books can't be kept or written so."""

from __future__ import annotations

from backend.errors import Conflict, InvalidInput


class BookTermsChanged(Conflict):
    """Somebody has changed the terms since they were read: read them again."""

    code, title = "book_terms_changed", "The terms of the books have been changed meanwhile"


class MonthsNotValid(InvalidInput):
    """Months are named by their first days, the earlier one first, 36 at most."""

    code, title = "accounting_months_not_valid", "These are no months"


class JournalNotExpressible(InvalidInput):
    """The accounting program's format lacks something: the detail says what to set or choose."""

    code, title = "journal_not_expressible", "The format has no room for this journal"
