"""The chart of accounts as a draft: what is booked where, and what of it is not saved yet. Pure.

Accounts are kept by posting: ``cash``, or ``cash_by_method.stripe`` of what is booked by a name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from backend_client import ClientError
from backend_client.types.accounting import ChartOfAccounts
from portal.kit.form_problems import (
    FormProblems,
    checked,
    paths_of,
    problems_by_field,
    text_of,
)

FIELDS = ("group", "name", "account", "form")
NO_PROBLEMS = dict.fromkeys(FIELDS, "")
GROUPS = {
    "cash_by_method": ("cash", "Payment method", "Payments by this method"),
    "revenue_by_plan": ("revenue", "Plan", "What customers on this plan are charged, once earned"),
    "tax_by_name": ("tax", "Tax", "What invoices ask for as this tax"),
}
"""By group: the posting where nothing is named, what has the name, and what is booked."""
_POSTINGS = {
    "receivable": ("Receivable", "Invoices, less what was paid and credited of them"),
    "cash": ("Cash", "Payments, and credit that is sold"),
    "customer_balance": ("Customer balances", "What you owe customers, to be set off"),
    "prepaid_credit": ("Prepaid credit", "Credit that was sold and is not used"),
    "deferred_revenue": ("Deferred revenue", "Invoiced before it is earned"),
    "unbilled_revenue": ("Unbilled revenue", "Earned before it is invoiced"),
    "revenue": ("Revenue", "What is earned, and credit that calls used"),
    "breakage": ("Breakage", "Sold credit that expired unused"),
    "promotional_credit": ("Promotional credit", "Invoices that were paid by given credit"),
    "tax": ("Tax", "What invoices ask for as tax"),
    "bad_debt": ("Bad debt", "Invoices that were written off"),
}
_STANDARD = ChartOfAccounts()
_LONGEST_ACCOUNT = 100
_PATH = "terms.accounts."


@dataclass(frozen=True)
class ChartRow:
    """A posting and its account. ``note`` says what is not saved, ``problem`` why it can't be."""

    id: str
    name: str
    about: str
    account: str
    standard: bool
    note: str
    problem: str


@dataclass(frozen=True)
class ChangeRow:
    """What saving changes of a posting."""

    name: str
    before: str
    after: str


def accounts_of(chart: ChartOfAccounts) -> dict[str, str]:
    """The accounts of a chart, by posting; what has a name follows what it is part of."""
    accounts: dict[str, str] = {}
    for field, value in chart:
        if isinstance(value, dict):
            accounts |= {f"{field}.{name}": value[name] for name in sorted(value)}
        else:
            accounts[field] = str(value)
    return accounts


def chart_of(accounts: Mapping[str, str]) -> ChartOfAccounts:
    """The chart of accounts by posting; raises ``FormProblems``, by path."""
    values: dict[str, Any] = {}
    for posting, account in accounts.items():
        group, _, name = posting.partition(".")
        if name:
            values.setdefault(group, {})[name] = account
        else:
            values[posting] = account
    return checked(ChartOfAccounts, values, {}, dict)


def changes_of(held: Mapping[str, str], draft: Mapping[str, str]) -> dict[str, str]:
    """The accounts that a draft changes, by posting; empty text where it has none any more."""
    return {
        posting: draft.get(posting, "")
        for posting in {**held, **draft}
        if held.get(posting) != draft.get(posting)
    }


def changed(held: Mapping[str, str], changes: Mapping[str, str]) -> dict[str, str]:
    """The draft that comes of making ``changes`` to what is held."""
    return {posting: account for posting, account in {**held, **changes}.items() if account}


def standard_of(posting: str) -> str:
    """The account that a posting has by default; of what has a name none, empty text."""
    return "" if "." in posting else str(getattr(_STANDARD, posting))


def name_of(posting: str) -> str:
    """What a posting is called."""
    group, _, name = posting.partition(".")
    return f"{_POSTINGS[GROUPS[group][0]][0]}: {name}" if name else _POSTINGS[group][0]


def is_posting(posting: str, accounts: Mapping[str, str]) -> bool:
    """Tell whether something names a posting that has an account, or had one."""
    return posting in _POSTINGS or posting in accounts


def chart_rows(
    held: Mapping[str, str], draft: Mapping[str, str], problems: Mapping[str, str]
) -> list[ChartRow]:
    """The postings in the order of the books, with those that a draft adds or removes."""
    places = list(ChartOfAccounts.model_fields)
    postings = sorted(
        {**held, **draft}, key=lambda posting: (places.index(posting.partition(".")[0]), posting)
    )
    return [
        ChartRow(
            id=posting,
            name=name_of(posting),
            about=_about(posting),
            account=draft.get(posting, "–"),
            standard=draft.get(posting) == standard_of(posting),
            note=_note(posting, held, draft),
            problem=problems.get(posting, ""),
        )
        for posting in postings
    ]


def change_rows(held: Mapping[str, str], draft: Mapping[str, str]) -> list[ChangeRow]:
    """What saving a draft changes."""
    return [
        ChangeRow(
            name_of(posting),
            before=held.get(posting) or _without(posting, held),
            after=account or _without(posting, draft),
        )
        for posting, account in changes_of(held, draft).items()
    ]


def account_from(form: Mapping[str, Any], posting: str, draft: Mapping[str, str]) -> dict[str, str]:
    """The draft with another account of a posting; raises ``FormProblems``."""
    return _with_account({}, form, posting, draft)


def addition_from(form: Mapping[str, Any], draft: Mapping[str, str]) -> dict[str, str]:
    """The draft with an account of its own for something with a name; raises ``FormProblems``."""
    group, name = text_of(form, "group"), text_of(form, "name")
    posting = f"{group}.{name}"
    problems: dict[str, str] = {}
    if group not in GROUPS:
        problems["group"] = "Choose what it is the account of."
    if not name:
        problems["name"] = "Write the name: stripe, growth or VAT."
    elif posting in draft:
        problems["name"] = f"{name} has an account already: change that."
    elif why := _text_problem(name[:_LONGEST_ACCOUNT]):
        problems["name"] = why
    return _with_account(problems, form, posting, draft)


def saving_problems(wrong: FormProblems | ClientError, draft: Mapping[str, str]) -> dict[str, str]:
    """Why a draft can't be saved, by posting; what is of none of them under ``form``.

    Raises:
        Unauthenticated: the session has ended.
    """
    by_posting: dict[str, str] = {}
    for path, detail in problems_by_field(wrong, dict).items():
        posting = _posting_at(path.removeprefix(_PATH), draft)
        why = detail if posting or path in ("", "form") else f"{path}: {detail}"
        by_posting.setdefault(posting or "form", why)
    return by_posting


def _with_account(
    problems: dict[str, str], form: Mapping[str, Any], posting: str, draft: Mapping[str, str]
) -> dict[str, str]:
    account = text_of(form, "account")
    if not account:
        problems["account"] = "Write an account: a number, or a name."
    elif why := _text_problem(account):
        problems["account"] = why
    if problems:
        raise FormProblems(problems)
    wanted = {**draft, posting: account}
    try:
        chart_of(wanted)
    except FormProblems as wrong:
        of_name = wrong.by_field.get(f"{posting}.[key]")
        raise FormProblems({"name": of_name} if of_name else {"form": str(wrong)}) from None
    return wanted


def _text_problem(account: str) -> str:
    """Why a text is no account; of what is wrong within a map, only the map is named."""
    try:
        ChartOfAccounts(receivable=account)
    except ValidationError as wrong:
        return paths_of(wrong)[0][1]
    return ""


def _posting_at(path: str, draft: Mapping[str, str]) -> str:
    """The posting that a path is of, or of whose name; the longest, for names may have dots."""
    names = [posting for posting in draft if path == posting or path.startswith(f"{posting}.")]
    return max(names, key=len, default="")


def _about(posting: str) -> str:
    group, _, name = posting.partition(".")
    return GROUPS[group][2] if name else _POSTINGS[group][1]


def _without(posting: str, accounts: Mapping[str, str]) -> str:
    """The account on which something with a name is booked that has none of its own."""
    return accounts[GROUPS[posting.partition(".")[0]][0]]


def _note(posting: str, held: Mapping[str, str], draft: Mapping[str, str]) -> str:
    before, after = held.get(posting), draft.get(posting)
    if before == after:
        return ""
    if after is None:
        return f"Not saved: was {before}, goes to {_without(posting, draft)}"
    return "Not saved: new" if before is None else f"Not saved: was {before}"
