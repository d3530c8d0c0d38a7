"""Icons of Lucide, by name."""

from __future__ import annotations

from reflex_components_lucide.icon import Icon

# ``rx.icon`` is the same, but type checkers take it for the module of that name
icon = Icon.create
