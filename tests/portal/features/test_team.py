"""Members in words, and what becomes of the keys of one who is removed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from backend_client.types.accounts import Member, Role
from portal.features.sessions.page import page as sessions_page
from portal.features.team.page import page as team_page
from portal.features.team.rows import Removal, heirs, member_rows, removal_from_form
from portal.kit.form_problems import FormProblems
from portal.session.guard import FRESH_SECONDS
from tests.portal.features.test_keys import key

pytestmark = pytest.mark.fast

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def member(name: str, role: Role) -> Member:
    return Member(user_id=f"usr_{name}", email=None, name=name, role=role, joined_at=NOW)


def test_members_have_the_keys_that_they_made_and_heirs_may_make_keys() -> None:
    people = [
        member("1", Role.OWNER),
        member("2", Role.DEVELOPER),
        member("3", Role.VIEWER),
        member("4", Role.ADMIN),
    ]
    keys = [key("a"), key("b"), key("c", revoked_at=NOW), key("d", created_by="usr_2")]
    rows = member_rows(people, keys, "usr_1", "UTC")
    assert [(row.keys_text, row.is_me) for row in rows] == [
        ("2 keys", True),
        ("1 key", False),
        ("None", False),
        ("None", False),
    ]
    assert [heir.id for heir in heirs(rows, "usr_2")] == ["usr_1", "usr_4"]


def test_keys_are_revoked_unless_they_are_handed_over() -> None:
    assert removal_from_form({"keys": "hand_over", "heir": "usr_1"}, 0) == Removal()
    assert removal_from_form({}, 2) == Removal("revoke")
    over = removal_from_form({"keys": "hand_over", "heir": "usr_1"}, 2)
    assert over == Removal("hand_over", "usr_1")
    with pytest.raises(FormProblems, match="who gets the keys"):
        removal_from_form({"keys": "hand_over"}, 2)


def test_the_pages_say_how_long_an_ended_session_may_still_be_known_here() -> None:
    """The API ends it within a second; the portal asks it anew only so often."""
    for page in (team_page(), sessions_page()):
        text = f"{page.lead}{[part.render() for part in page.content]}"
        assert f"ithin {FRESH_SECONDS:.0f} seconds" in text
