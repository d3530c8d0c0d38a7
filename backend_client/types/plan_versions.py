"""What changed between a plan's versions, and moving tenants from one to another."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from backend_client.types.common import Answer, Instant, Money, Wire


class PlanChange(Answer):
    """A part of a plan that differs; ``before`` or ``after`` is null where there was none.

    ``path`` names parts of lists by their ids: ``charges.output.tiers.0.price``.
    """

    path: str = Field(
        description="What differs, as a path in which parts of lists are named by their ids: "
        "`charges.output.tiers.0.price`."
    )
    before: Any = Field(
        description="What it was in the earlier version; null where there was nothing."
    )
    after: Any = Field(description="What it is in the later version; null where there is nothing.")


class PlanDiff(Answer):
    """All that differs between two versions of a plan."""

    plan: str = Field(description="Which plan, by its id in the catalog.")
    before: int = Field(description="The earlier version, by its number.")
    after: int = Field(description="The later version, by its number.")
    changes: list[PlanChange] = Field(
        description="All that differs between the two; empty if nothing does."
    )


class MigrationRequest(Wire):
    """Move tenants on older versions to the latest, at the next quarter hour or ``at`` one to come.

    With ``preview`` nothing is changed.
    """

    at: Instant | None = Field(
        None, description="The quarter hour to come at which tenants move; null for the next."
    )
    preview: bool = Field(
        True,
        description="Whether only to answer what would happen: true, if left out, changes nothing.",
    )


class MigratedTenant(Answer):
    """A tenant on an older version. ``present`` is its bill for the period so far.

    ``migrated`` is what it would be had the latest version been in force all that time; null with
    a ``problem`` where the tenant can't be moved.
    """

    tenant: str = Field(description="The tenant, by its id (`ten_…`).")
    from_version: int = Field(description="The version that the tenant is on before it moves.")
    present: Money = Field(description="What its running period costs so far, as it is.")
    migrated: Money | None = Field(
        description="What the period so far would cost on the latest version; null if the "
        "tenant can't be moved."
    )
    problem: str | None = Field(None, description="Why the tenant can't be moved; null if it can.")
