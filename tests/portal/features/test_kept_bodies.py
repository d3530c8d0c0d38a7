"""What the form of kept bodies asks for."""

from __future__ import annotations

import pytest

from portal.features.applications.bodies_state import body_logging_from
from portal.kit.form_problems import FormProblems

pytestmark = pytest.mark.fast


def test_bodies_are_kept_as_the_form_says() -> None:
    kept = body_logging_from({"days": " 14 ", "redacted": "on"}, enabled=True)
    assert (kept.enabled, kept.days, kept.redacted) == (True, 14, True)
    assert not body_logging_from({"days": "14"}, enabled=True).redacted
    assert not body_logging_from({"days": "never"}, enabled=False).enabled
    for days in ("0", "91", "some"):
        with pytest.raises(FormProblems) as caught:
            body_logging_from({"days": days}, enabled=True)
        assert set(caught.value.by_field) == {"days"}
