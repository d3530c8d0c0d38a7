"""Invoice runs as rows. Plain functions."""

from __future__ import annotations

from dataclasses import dataclass

from backend_client.types.invoices import InvoiceRun
from portal.kit.color import Color
from portal.kit.formatting import count, second

RUN_STATES: dict[str, tuple[str, Color]] = {
    "running": ("Running", "blue"),
    "finished": ("Finished", "green"),
    "failures": ("With failures", "red"),
}


@dataclass(frozen=True)
class RunRow:
    """A run over all customers with a billing period that was over; ``percent`` of it is done."""

    id: str
    started: str
    state: str
    color: Color
    percent: int
    progress: str
    outcome: str


def run_row(run: InvoiceRun, time_zone: str) -> RunRow:
    """A run as the list shows it."""
    finished = run.state == "finished"
    done = max(0, run.due - run.left)
    percent = 100 if finished or not run.due else done * 100 // run.due
    state, color = RUN_STATES["finished" if finished else "running"]
    if finished and run.failed:
        state, color = RUN_STATES["failures"]
    outcome = [f"{count(run.invoiced)} invoiced", f"{count(run.nothing_to_bill)} nothing to bill"]
    if run.failed:
        outcome.append(f"{count(run.failed)} failed: the log says why")
    return RunRow(
        id=run.id,
        started=second(run.started_at, time_zone),
        state=state,
        color=color,
        percent=percent,
        progress=f"{count(done)} of {count(run.due)} customers",
        outcome=", ".join(outcome),
    )
