"""What of the portal has no type: the list, with why, so that it grows by nobody's oversight.

A state's forms, JSON and charts' specifications are mappings to ``Any``, and components pass
properties on to Reflex, which types them so: neither is counted. ``Any`` by itself is.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.support.paths import ROOT

pytestmark = pytest.mark.fast


HANDLER_CALLS = "Reflex types a handler by its arguments alone: not its actions, nor a part of them"
ROW_OF_TWO = "a row or a form's values, as the variable of the browser or as the record itself"
JSON = "what a file or a text in JSON holds, before it is checked"
UNTYPED: dict[str, tuple[int, str]] = {
    "portal/app.py": (1, HANDLER_CALLS),
    "portal/features/applications/bounds.py": (1, HANDLER_CALLS),
    "portal/features/corrections/backfill.py": (1, JSON),
    "portal/features/customer/keys/bounds_page.py": (1, HANDLER_CALLS),
    "portal/features/keys/page.py": (1, HANDLER_CALLS),
    "portal/features/models/page.py": (3, HANDLER_CALLS),
    "portal/features/notifications/page.py": (1, HANDLER_CALLS),
    "portal/features/playground/calls/checks.py": (1, JSON),
    "portal/kit/plain.py": (1, "children as Reflex takes them: components, texts and variables"),
    "portal/kit/vars.py": (4, "where a variable of the browser is given the type of its value"),
    "portal/server/tab_states.py": (4, "socket.io's arguments, which it passes on"),
    "portal/session/guard.py": (3, "handlers of any state, of which it makes handlers of Reflex"),
    "portal/shared/bounds/bar.py": (4, ROW_OF_TWO),
    "portal/shared/bounds/fields.py": (6, ROW_OF_TWO),
    "portal/shared/filters/form.py": (2, HANDLER_CALLS),
    "portal/shared/webhooks/cells.py": (3, ROW_OF_TWO),
}


def untyped(source: str) -> int:
    """How often a source has ``Any`` by itself: of an argument, a result, a name or a cast."""
    if not re.search(r"\bAny\b", source):
        return 0
    return sum(
        isinstance(node, ast.Name) and node.id == "Any" for node in _annotations(ast.parse(source))
    )


def _annotations(tree: ast.AST) -> Iterator[ast.expr | None]:
    for node in ast.walk(tree):
        match node:
            case (
                ast.FunctionDef(args=args, returns=returns)
                | ast.AsyncFunctionDef(args=args, returns=returns)
            ):
                yield returns
                for argument in (*args.posonlyargs, *args.args, *args.kwonlyargs):
                    yield argument.annotation
                if args.vararg is not None:
                    yield args.vararg.annotation
            case ast.AnnAssign(annotation=annotation):
                yield annotation
            case ast.Call(func=ast.Name(id="cast"), args=[kind, _]):
                yield kind


def test_what_has_no_type_is_listed() -> None:
    counts: Counter[str] = Counter()
    for file in (ROOT / "portal").rglob("*.py"):
        counts[str(file.relative_to(ROOT))] += untyped(file.read_text())
    assert +counts == Counter({file: count for file, (count, _) in UNTYPED.items()})


def test_mypy_is_strict_about_the_whole_portal() -> None:
    assert "ignore_errors" not in (ROOT / "pyproject.toml").read_text()
    ignoring = [
        str(file.relative_to(ROOT))
        for file in (ROOT / "portal").rglob("*.py")
        if "# mypy:" in file.read_text()
    ]
    assert ignoring == []


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("def act(one: Any) -> Any: pass", 2),
        ("async def act(*more: Any, value: Any) -> None: pass", 2),
        ("value: Any = 1", 1),
        ("cast(Any, value)", 1),
        ("def act(**props: Any) -> dict[str, Any]: pass", 0),
        ("def act(form: Mapping[str, Any]) -> None: pass", 0),
    ],
)
def test_each_way_to_have_no_type_is_counted(source: str, count: int) -> None:
    assert untyped(source) == count
