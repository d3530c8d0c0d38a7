"""What changed between a plan's versions, and moving tenants from one to another."""

from __future__ import annotations

from typing import Any

from backend_client.types.common import Answer, Instant, Money, Wire


class PlanChange(Answer):
    """A part of a plan that differs; ``before`` or ``after`` is null where there was none.

    ``path`` names parts of lists by their ids: ``charges.output.tiers.0.price``.
    """

    path: str
    before: Any
    after: Any


class PlanDiff(Answer):
    """All that differs between two versions of a plan."""

    plan: str
    before: int
    after: int
    changes: list[PlanChange]


class MigrationRequest(Wire):
    """Move tenants on older versions to the latest, at the next quarter hour or ``at`` one to come.

    With ``preview`` nothing is changed.
    """

    at: Instant | None = None
    preview: bool = True


class MigratedTenant(Answer):
    """A tenant on an older version. ``present`` is its bill for the period so far.

    ``migrated`` is what it would be had the latest version been in force all that time; null with
    a ``problem`` where the tenant can't be moved.
    """

    tenant: str
    from_version: int
    present: Money
    migrated: Money | None
    problem: str | None = None
