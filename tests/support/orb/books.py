"""Orb's books, as far as Farebox writes in them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from tests.support.orb.objects import Object
from tests.support.orb.plans import Plans


class Books(Plans):
    """Does what a checked request asks for."""

    def do(
        self,
        method: str,
        template: str,
        ids: dict[str, str],
        body: Object,
        query: Object,
        now: datetime,
    ) -> Object:
        """Do what the operation of a path's template says."""
        words = re.sub(r"/\{\w+\}", "", template).strip("/").replace("/", "_")
        operation: Callable[..., Any] = getattr(self, f"{method.lower()}_{words}")
        answer: Object = operation(body, query, now, *ids.values())
        return answer
