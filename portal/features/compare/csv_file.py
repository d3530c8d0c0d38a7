"""A comparison as CSV: each plan's bills, line by line. Plain functions."""

from __future__ import annotations

import csv
import io

from backend_client.types.common import plain
from backend_client.types.simulate import Simulation
from portal.kit.formatting import period

HEADINGS = ("plan", "version", "fits", "period", "charge", "quantity", "amount", "currency")


def simulation_csv(answer: Simulation) -> str:
    """Write a comparison; numbers in full."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(HEADINGS)
    for plan in answer.plans:
        for report in plan.periods:
            when = period(report.period.start, report.period.end, report.period.time_zone)
            start = (plan.plan, plan.plan_version, plan.fits, when)
            for line in report.lines:
                quantity, amount = plain(line.quantity), plain(line.amount.amount)
                writer.writerow([*start, line.name, quantity, amount, report.currency])
            for adjustment in report.adjustments:
                amount = plain(adjustment.amount.amount)
                writer.writerow([*start, adjustment.name, "", amount, report.currency])
    return file.getvalue()
