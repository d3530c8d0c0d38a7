"""The lock of the portal's packages, as it is committed."""

from __future__ import annotations

import json

import pytest

from portal.server.build import project_directory
from tests.support.waiting import until

pytestmark = pytest.mark.fast


async def test_a_build_leaves_the_committed_lock_as_it_is() -> None:
    """Else the first start in a clone would change a file of it.

    A build that another test has begun leaves it so when it ends.
    """
    path = project_directory() / "reflex.lock" / "package.json"

    async def is_laid_out() -> bool:
        locked = path.read_text()
        return locked == json.dumps(json.loads(locked), indent=2) + "\n"

    await until(is_laid_out, seconds=300)
