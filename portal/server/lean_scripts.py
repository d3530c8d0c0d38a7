"""Takes out of the pages' scripts what these pages never use.

Reflex lets a server send components as text, which the browser evaluates. For these it puts whole
libraries within reach of the text, and the evaluation keeps the bundler from shortening the names
of a large part of the scripts. The policy of these pages allows no evaluation at all
(``portal.server.security``), so that both are but a third more to load.
"""

from __future__ import annotations

import re
from typing import Unpack

import reflex as rx
from reflex_base.plugins.base import PreCompileContext

_LIBRARIES = re.compile(
    r"  useEffect\(\(\) => \{\n.*?window\.__reflex = \{.*?\n  \}, \[\]\);\n", re.DOTALL
)
_EVALUATION = re.compile(r"(?<![\w.])eval\(")


class LeanScripts(rx.plugins.Plugin):
    """Leaves out the libraries of evaluated components, and the evaluation."""

    def pre_compile(self, **context: Unpack[PreCompileContext]) -> None:
        """Have both files changed before the bundler reads them."""
        context["add_modify_task"]("app/root.jsx", without_libraries)
        context["add_modify_task"]("utils/state.js", without_evaluation)


def without_libraries(root: str) -> str:
    """Return the root of the pages without the libraries that evaluated components may use.

    Raises:
        RuntimeError: they are not where they were; Reflex's output has changed its form.
    """
    lean, number = _LIBRARIES.subn("", root)
    if number != 1:
        raise RuntimeError("The pages' root doesn't hold Reflex's libraries in the known form.")
    return lean


def without_evaluation(state: str) -> str:
    """Return Reflex's script without a direct ``eval``, which keeps a bundler from its names.

    Raises:
        RuntimeError: there is none, and none was taken out before; the script has changed.
    """
    lean = _EVALUATION.sub("globalThis.eval(", state)
    if "globalThis.eval(" not in lean:
        raise RuntimeError("Reflex's script doesn't evaluate text any more: this can go.")
    return lean
