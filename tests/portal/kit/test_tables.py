"""Tables on a phone: what has no room side by side is a card."""

from __future__ import annotations

import pytest

from portal.kit.tables import wide_table

pytestmark = pytest.mark.fast


@pytest.mark.parametrize(
    ("headings", "long", "is_cards"),
    [
        (("Plan", "Price"), False, False),
        (("This period", "As it is", "After the change"), False, False),
        (("This period", "As it is", "After the change"), True, True),
        (("Person", "Role", "Keys", "Joined"), False, True),
    ],
)
def test_wide_rows_are_cards(headings: tuple[str, ...], long: bool, is_cards: bool) -> None:
    rendered = str(wide_table("called", headings, long=long))
    assert ("fb-cards" in rendered) is is_cards
    assert ("--heading-2" in rendered) is is_cards
