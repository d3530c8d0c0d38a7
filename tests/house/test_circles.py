"""No file imports itself by way of others.

``make lint`` refuses circles between the members of a folder. What it can't see is a circle by way
of a folder's own ``__init__``; here every file counts, and every import, those in functions too.
"""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

import grimp
import pytest

pytestmark = pytest.mark.fast

PACKAGES = ("backend", "backend_client", "edge", "portal")


def circle(graph: grimp.ImportGraph) -> list[str]:
    """The modules of one circle, each imported by the next; none if there is no circle."""
    imports = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        modules: list[str] = error.args[1]
        return modules
    return []


def test_no_file_imports_itself_by_way_of_others() -> None:
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    assert len(graph.modules) > 300
    assert circle(graph) == []


def test_a_circle_by_way_of_a_folders_init_is_noticed() -> None:
    graph = grimp.ImportGraph()
    for importer, imported in (("kit", "kit.pages"), ("kit.pages", "kit.limits"), ("app", "kit")):
        graph.add_import(importer=importer, imported=imported)
    assert circle(graph) == []
    graph.add_import(importer="kit.limits", imported="kit")
    assert set(circle(graph)) == {"kit", "kit.pages", "kit.limits"}
