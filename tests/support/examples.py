"""How many examples Hypothesis tries of a law: ``--hypothesis-profile`` says how hard to look.

=========  =========================================================================
Profile
=========  =========================================================================
quick      a tenth, for ``make fast``
usual      100, or what a test says with :func:`examples`
thorough   ten times as many: once before a release, or after a change of the rules
=========  =========================================================================

None has a deadline: how long an example takes says more of the machine than of the law.
"""

from __future__ import annotations

import pytest

_USUAL = 100
_PROFILES = {"quick": _USUAL // 10, "usual": _USUAL, "thorough": _USUAL * 10}
_LEAST = 5


def examples(usual: int) -> int:
    """The ``max_examples`` of a test for which 100 are too many or too few, in any profile."""
    from hypothesis import settings

    return max(_LEAST, usual * settings.default.max_examples // _USUAL)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register the profiles, before Hypothesis loads the one that pytest is told of."""
    if config.getoption("--hypothesis-profile"):
        from hypothesis import settings

        for name, count in _PROFILES.items():
            settings.register_profile(name, max_examples=count, deadline=None)
