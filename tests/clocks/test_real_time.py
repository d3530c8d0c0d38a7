"""Which routes look at real time: whatever bills, grants or counts asks for the tenant's own."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from backend.api import routers

pytestmark = pytest.mark.fast

IN_REAL_TIME = {
    "accounting": "when the seller changed how its books are kept",
    "applications": "which keys of an application still work",
    "calls": "a tenant on a clock makes none",
    "catalog": "how fast models answered in the last hours",
    "conversations": "what people keep of the playground",
    "dead_letters": "ingest asks for clocks itself",
    "drift": "how providers counted in the last days",
    "events": "ingest asks for clocks itself",
    "leaked_keys": "when a secret was reported",
    "margin": "a report over all tenants, which leaves samples out",
    "notifications": "when something is sent",
    "plan_versions": "of all tenants, which leaves those on clocks out",
    "platforms": "no tenant on a clock is on one",
    "prompts": "what people keep of the playground",
    "public_compare": "of no tenant",
    "sessions": "a person's own first tenant, which is in real time",
    "tenant_billing": "when VIES was asked",
    "tenant_keys": "which keys still work",
    "tenants": "a tenant on a clock begins where that does, which the room sees to",
    "webhooks": "when something is sent; to endpoints of a tenant on a clock nothing is",
}
"""Files of routes that look at real time, and why that is right for a tenant on a clock too."""


def test_routes_look_at_real_time_only_where_it_is_right() -> None:
    files = set()
    for file in Path(routers.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "datetime.now":
                files.add(file.stem)
    assert files == IN_REAL_TIME.keys()
