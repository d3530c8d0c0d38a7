"""Which claims of an identity provider make an operator."""

from __future__ import annotations

import pytest

from backend.accounts.members.operators import in_group

pytestmark = pytest.mark.fast


@pytest.mark.parametrize(
    ("claims", "claim", "has"),
    [
        ({"groups": ["a", "b"]}, "groups", True),
        ({"groups": "b"}, "groups", True),
        ({"groups": "ab"}, "groups", False),
        ({"groups": ["ab"]}, "groups", False),
        ({"groups": None}, "groups", False),
        ({}, "groups", False),
        ({"realm": {"roles": ["b"]}}, "realm.roles", True),
        ({"realm": ["roles"]}, "realm.roles", False),
        ({"https://x.example/roles": ["b"]}, "https://x.example/roles", True),
        ({"groups": [["b"], {"b": 1}, 7]}, "groups", False),
    ],
    ids=str,
)
def test_a_claim_has_a_group_as_a_member_or_as_its_value(
    claims: dict[str, object], claim: str, has: bool
) -> None:
    assert in_group(claims, claim, "b") is has
    assert in_group({"operator": True}, "operator", "true")
