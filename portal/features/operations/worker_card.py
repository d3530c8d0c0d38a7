"""The worker's tasks: when each last did its work."""

from __future__ import annotations

import reflex as rx

from portal.features.operations.worker_rows import TaskRow
from portal.features.operations.worker_state import WorkerTasks
from portal.kit.blocks import card, empty, loading_rows
from portal.kit.tables import wide_table
from portal.kit.vars import each, length, pick
from portal.shell.loaded import loaded


def worker_tasks() -> rx.Component:
    """A card that follows the tasks."""
    return card(
        loaded(
            WorkerTasks,
            rx.cond(
                length(WorkerTasks.tasks) > 0,
                wide_table(
                    "worker-tasks",
                    ("Task", "State", "Last success", "Last failure", "Restarts"),
                    each(WorkerTasks.tasks, _row),
                ),
                empty(
                    "server-off",
                    "No worker has run yet",
                    "A worker counts events, bills, notifies and computes forecasts.",
                ),
            ),
            retry=WorkerTasks.watch,
            skeleton=loading_rows(3),
        ),
        heading="Worker",
    )


def _row(task: TaskRow) -> rx.Component:
    return rx.table.row(
        rx.table.row_header_cell(
            rx.text(task.task, weight="medium"),
            rx.cond(task.note != "", rx.text(task.note, size="1", color_scheme="gray")),
            max_width="26rem",
        ),
        rx.table.cell(rx.badge(task.state, color_scheme=pick(task.fails, "red", "green"))),
        rx.table.cell(task.succeeded, white_space="nowrap"),
        rx.table.cell(task.failed, white_space="nowrap"),
        rx.table.cell(task.restarts),
        vertical_align="middle",
    )
