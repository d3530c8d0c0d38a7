"""Our credit notes as Orb's. Pure.

Orb's have no metadata: the memo of each of ours ends with its id.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from backend.platforms.documents import CreditNoteDocument
from backend.platforms.orb.mapping import MOST_NAME, tax_name

Json = Mapping[str, Any]

_MARK: Final = re.compile(r"\[([a-z]+_[0-9A-Za-z]+)\]\s*$")


def credit_note_body(note: CreditNoteDocument, remote: Json) -> dict[str, Any] | None:
    """Return a credit note on what Orb still asks for; None if that is nothing.

    What was paid already of it is on the customer's balance with us. Raises ``ValueError`` if the
    invoice has no such line there.
    """
    left = min(Decimal(remote["amount_due"]), note.total)
    to_credit = [(f"{line.number}. ", line.amount) for line in note.lines]
    to_credit += [(tax_name(tax), tax.amount) for tax in note.taxes if not tax.inclusive]
    bodies = []
    for begins, amount in to_credit:
        part = min(amount, left)
        if part <= 0:
            continue
        body = {"invoice_line_item_id": _line_named(remote, begins), "amount": format(part, "f")}
        bodies.append(body)
        left -= part
    if not bodies:
        return None
    memo = f"{note.number}: {note.reason}"[:MOST_NAME]
    return {"line_items": bodies, "reason": "order_change", "memo": f"{memo} [{note.id}]"}


def own_note(memo: str | None) -> str | None:
    """Return the id of our credit note that a memo of Orb's names; None if it is none of ours."""
    match = _MARK.search(memo or "")
    return match[1] if match else None


def _line_named(remote: Json, begins: str) -> str:
    for line in remote["line_items"]:
        if str(line["name"]).startswith(begins):
            return str(line["id"])
    raise ValueError(f"Orb's invoice {remote['id']} has no line {begins.strip()!r}.")
