"""What is taken out of Reflex's scripts is taken out of what this version of it writes."""

from __future__ import annotations

from pathlib import Path

import pytest
import reflex_base

from portal.app import BARE_PAGES, FEATURES, app
from portal.server.lean_scripts import without_evaluation, without_libraries

pytestmark = pytest.mark.fast

ROOT = """function ReflexProviders({children}) {
  useEffect(() => {
    // Make contexts and state objects available globally for dynamic eval'd components
    window.__reflex = {
          "react": React,
    "@radix-ui/themes": radix_ui_themes,
    };
  }, []);

  return jsx(ThemeProvider, {}, children);
}
"""


def test_no_library_is_kept_for_components_that_are_never_evaluated() -> None:
    lean = without_libraries(ROOT)
    assert "radix_ui_themes" not in lean
    assert "return jsx(ThemeProvider, {}, children);" in lean


def test_a_root_of_another_form_is_refused() -> None:
    with pytest.raises(RuntimeError, match="known form"):
        without_libraries("export function Layout() {}")


def test_reflex_script_has_no_direct_evaluation_left() -> None:
    [script] = Path(reflex_base.__file__).parent.rglob(".templates/web/utils/state.js")
    text = script.read_text(encoding="utf-8")
    lean = without_evaluation(text)
    assert lean.count("globalThis.eval(") == text.count("eval(") > 0
    # What was built before is built upon
    assert without_evaluation(lean) == lean
    with pytest.raises(RuntimeError, match="can go"):
        without_evaluation("export const nothing = 1;")


def test_each_page_has_a_script_of_its_own() -> None:
    modules = {
        page.route: page._source_module
        for page in app._unevaluated_pages.values()
        if page._source_module
    }
    assert len(modules) == len({*modules.values()}) == len(FEATURES) + len(BARE_PAGES)
