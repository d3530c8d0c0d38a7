"""A tenant's policies: read, kept and removed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import RowMapping, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.audit.writing import record
from backend.accounts.errors import TenantNotFound
from backend.accounts.principal import Principal
from backend.chargeback.errors import PolicyChanged, PolicyLocked, PolicyNotFound, PolicyNotValid
from backend.chargeback.rules.timeline import Timeline, local_day
from backend.chargeback.rules.tree import faults
from backend.metering.counting.labels import list_labels
from backend.storage.tables import chargeback_months, chargeback_policies, tenants
from backend_client.types.accounts import Tenant
from backend_client.types.chargeback import Policy, PolicyPut, PolicyVersion
from backend_client.types.problems import FieldError


async def list_policies(connection: AsyncConnection, tenant: Tenant) -> list[PolicyVersion]:
    """Return a tenant's policies, the latest first."""
    query = (
        select(chargeback_policies)
        .where(chargeback_policies.c.tenant_id == tenant.id)
        .order_by(chargeback_policies.c.valid_from.desc())
    )
    rows = (await connection.execute(query)).mappings().all()
    locked = await _locked_until(connection, tenant)
    return [_version(row, locked) for row in rows]


async def find_policy(
    connection: AsyncConnection, tenant: Tenant, valid_from: date
) -> PolicyVersion:
    """Return the policy that begins on a day; raise ``NotFound``."""
    versions = await list_policies(connection, tenant)
    for version in versions:
        if version.valid_from == valid_from:
            return version
    raise PolicyNotFound()


async def timeline_of(connection: AsyncConnection, tenant: Tenant) -> Timeline:
    """Return which policy holds when."""
    versions = await list_policies(connection, tenant)
    return timeline_with(versions, tenant)


def timeline_with(versions: Sequence[PolicyVersion], tenant: Tenant) -> Timeline:
    """Return which of some policies holds when."""
    return Timeline(
        [(version.valid_from, version.policy) for version in versions], tenant.time_zone
    )


async def put_policy(
    connection: AsyncConnection,
    caller: Principal,
    tenant: Tenant,
    valid_from: date,
    wanted: PolicyPut,
    now: datetime,
) -> PolicyVersion:
    """Keep a policy from a day on; the same again changes nothing.

    Raises ``InvalidInput`` for a policy that contradicts itself or names a label that is not
    declared, ``Conflict`` if a closed month depends on it, or if it is not of the revision that
    was read.
    """
    await lock_chargeback(connection, tenant.id)
    await check_policy(connection, tenant, wanted.policy)
    await _require_unlocked(connection, tenant, valid_from)
    key = {"tenant_id": tenant.id, "valid_from": valid_from}
    versions = await list_policies(connection, tenant)
    before = next((held for held in versions if held.valid_from == valid_from), None)
    if before is not None and before.policy == wanted.policy:
        return before
    if (None if before is None else before.revision) != wanted.revision:
        raise PolicyChanged()
    values = {
        "revision": 1 if before is None else before.revision + 1,
        "policy": wanted.policy.model_dump(mode="json"),
        "changed_at": now,
        "changed_by": caller.id,
    }
    await connection.execute(
        insert(chargeback_policies)
        .values(**key, **values)
        .on_conflict_do_update(index_elements=[*key], set_=values)
    )
    detail = {"revision": values["revision"], "mode": wanted.policy.mode.value}
    target = valid_from.isoformat()
    await record(
        connection, caller, "chargeback.policy", target, tenant_id=tenant.id, detail=detail
    )
    return await find_policy(connection, tenant, valid_from)


async def delete_policy(
    connection: AsyncConnection, caller: Principal, tenant: Tenant, valid_from: date
) -> None:
    """Remove a policy; raise ``NotFound``, and ``Conflict`` if a closed month depends on it."""
    await lock_chargeback(connection, tenant.id)
    await find_policy(connection, tenant, valid_from)
    await _require_unlocked(connection, tenant, valid_from)
    await connection.execute(
        delete(chargeback_policies).where(
            chargeback_policies.c.tenant_id == tenant.id,
            chargeback_policies.c.valid_from == valid_from,
        )
    )
    target = valid_from.isoformat()
    await record(connection, caller, "chargeback.policy-remove", target, tenant_id=tenant.id)


async def check_policy(connection: AsyncConnection, tenant: Tenant, policy: Policy) -> None:
    """Raise ``InvalidInput`` with the fields of a policy that can't be followed."""
    wrong = faults(policy)
    declared = {label.label for label in await list_labels(connection, tenant.id)}
    wrong += [
        FieldError(field=f"rules.{place}.label", detail=f"{rule.label!r} is not a declared label")
        for place, rule in enumerate(policy.rules)
        if rule.label is not None and rule.label not in declared
    ]
    if wrong:
        detail = " ".join(f"{fault.field}: {fault.detail}." for fault in wrong[:5])
        raise PolicyNotValid(detail, errors=wrong)


async def lock_chargeback(connection: AsyncConnection, tenant_id: str) -> None:
    """Keep others from changing policies or closing months until the transaction ends."""
    query = select(tenants.c.id).where(tenants.c.id == tenant_id).with_for_update(key_share=True)
    if await connection.scalar(query) is None:
        raise TenantNotFound()


async def _require_unlocked(connection: AsyncConnection, tenant: Tenant, valid_from: date) -> None:
    locked = await _locked_until(connection, tenant)
    if locked is not None and valid_from < locked:
        raise PolicyLocked(f"Months are closed until {locked}: let the policy begin then or later.")


async def _locked_until(connection: AsyncConnection, tenant: Tenant) -> date | None:
    """Return the first day that no closed month has; None if none is closed."""
    query = select(func.max(chargeback_months.c.period_end)).where(
        chargeback_months.c.tenant_id == tenant.id
    )
    end = await connection.scalar(query)
    return None if end is None else local_day(end, tenant.time_zone)


def _version(row: RowMapping, locked: date | None) -> PolicyVersion:
    return PolicyVersion(
        valid_from=row["valid_from"],
        revision=row["revision"],
        policy=Policy.model_validate(row["policy"]),
        changed_at=row["changed_at"],
        changed_by=row["changed_by"],
        locked=locked is not None and row["valid_from"] < locked,
    )
