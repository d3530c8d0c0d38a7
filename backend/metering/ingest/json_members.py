"""Divide a JSON array into its members without parsing them, so that a bad one spoils no other.

What clients write is not valid JSON everywhere: ``NaN``, half a surrogate pair, a label in another
encoding. This module only needs brackets and quotation marks to pair up.
"""

from __future__ import annotations

import re
from typing import Final

_MOST_STEPS: Final = 300_000
"""A bracket or a comma between members is a step: a batch of 10,000 events has some 110,000."""

# Possessive, so that no input causes backtracking; an open string runs to the end of the body.
_STRING = rb'"(?:[^"\\]++|\\.)*+(?:"|\Z)'
_TO_COMMA_OR_BRACKET = re.compile(rb"(?:[^\"\[\]{},]++|" + _STRING + rb")*+", re.DOTALL)
_TO_BRACKET = re.compile(rb"(?:[^\"\[\]{}]++|" + _STRING + rb")*+", re.DOTALL)


class TooManyMembers(ValueError):
    """The array has more members than are allowed."""


def members_of(body: bytes, *, most: int) -> list[bytes]:
    """Return the text of each member of an array.

    Raises ``TooManyMembers`` if there are more than ``most``, and ``ValueError`` if the brackets
    don't pair, if a member is empty, or if something follows the array.
    """
    start = end = body.index(b"[") + 1
    members: list[bytes] = []
    depth = 1
    for _ in range(_MOST_STEPS):
        skipped = (_TO_COMMA_OR_BRACKET if depth == 1 else _TO_BRACKET).match(body, end)
        end = skipped.end() if skipped else end
        sign = body[end : end + 1]
        end += 1
        if sign in (b"[", b"{"):
            depth += 1
        elif sign in (b"]", b"}"):
            depth -= 1
        elif not sign:
            raise ValueError("it ends within a member")
        if depth > 1 or (depth == 1 and sign != b","):
            continue
        member = body[start : end - 1]
        start = end
        if depth == 0 and not members and not member.strip():
            break
        if not member.strip():
            raise ValueError(f"member {len(members)} is empty")
        members.append(member)
        if len(members) > most:
            raise TooManyMembers
        if depth == 0:
            break
    else:
        raise ValueError("it has more brackets than a batch of events can have")
    if sign != b"]" or body[end:].strip():
        raise ValueError("something follows the end of the array")
    return members
