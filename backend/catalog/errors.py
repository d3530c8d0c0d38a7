"""Why something of the catalog can't be given."""

from __future__ import annotations

from backend.errors import NotFound


class CatalogNotApplied(NotFound):
    """The operator has to apply one: `farebox catalog apply`."""

    code, title = "catalog_not_applied", "No catalog was applied yet"


class PlanNotFound(NotFound):
    """No plan on sale has this id."""

    code, title = "plan_not_found", "There is no such plan"


class PlanVersionNotFound(NotFound):
    """Versions count from 1, each time the plan is published with a change."""

    code, title = "plan_version_not_found", "The plan has no such version"
