"""Identifiers: a short prefix that says what the thing is, and a UUIDv7.

UUIDv7 (RFC 9562, section 5.7) starts with a millisecond timestamp, so ids sort by age and
new rows land at the right-hand edge of a B-tree.
"""

from __future__ import annotations

from typing import Literal

import uuid_utils

Prefix = Literal[
    "ten",
    "usr",
    "app",
    "key",
    "sub",
    "plan",
    "req",
    "evt",
    "aud",
    "chatcmpl",
    "fct",
    "inv",
    "pay",
    "crn",
    "itm",
    "run",
    "grt",
    "top",
    "ctr",
    "cpn",
    "rec",
    "dsc",
    "ivt",
    "opg",
    "ntf",
    "ses",
    "dsp",
    "prm",
    "cnv",
    "whk",
    "whs",
    "lbd",
]


def new_id(prefix: Prefix) -> str:
    """Return a new id such as ``key_019ab2f4c1d27a3e9c6b5d4e3f2a1b0c``."""
    return f"{prefix}_{uuid_utils.uuid7().hex}"
