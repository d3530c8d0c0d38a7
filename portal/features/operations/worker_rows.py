"""The worker's tasks, and who waits longest, as rows. Plain functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from backend_client.types.pipeline import TenantWaiting, WorkerTask
from portal.kit.formatting import ago, count


@dataclass(frozen=True)
class TaskRow:
    """A task of the worker; ``note`` says why it fails, if it does."""

    task: str
    fails: bool
    state: str
    succeeded: str
    failed: str
    note: str
    restarts: str


@dataclass(frozen=True)
class WaitingRow:
    """A tenant with messages that have waited long."""

    tenant: str
    since: str


def task_row(task: WorkerTask, now: datetime) -> TaskRow:
    """A task as the list shows it."""
    fails = task.consecutive_failures > 0
    return TaskRow(
        task=task.task.replace("_", " ").capitalize(),
        fails=fails,
        state=f"Failed {count(task.consecutive_failures)} times" if fails else "Works",
        succeeded=ago(task.succeeded_at, now) if task.succeeded_at else "Never",
        failed=ago(task.failed_at, now) if task.failed_at else "Never",
        note=(task.error or "") if fails else "",
        restarts=count(task.restarts),
    )


def waiting_rows(
    waiting: Sequence[TenantWaiting], names: Mapping[str, str], now: datetime
) -> list[WaitingRow]:
    """The tenants that wait longest, by name where it is known."""
    return [
        WaitingRow(
            tenant=names.get(tenant.tenant_id, tenant.tenant_id),
            since=ago(tenant.oldest_waiting_at, now),
        )
        for tenant in waiting
    ]
