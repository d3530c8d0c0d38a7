"""Drift: the sums of a day, the pass that computes them, the route, the gauge."""

from __future__ import annotations

import subprocess
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from backend.metering.counting.batches import count_events
from backend.metering.events import AcceptedEvent
from backend.metering.tokens.drift import compute_day, drift_report
from backend.metering.tokens.worker import DriftWorker
from backend.settings import Settings
from backend.storage.database import Database
from tests.support.commands import run_farebox

pytestmark = pytest.mark.engine

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
TODAY = NOON.date()


def event(number: int, reported: int, counted: int | None, **changed: Any) -> AcceptedEvent:
    values: dict[str, Any] = {
        "tenant_id": "ten_a",
        "source": "test",
        "id": str(number),
        "time": NOON,
        "received_at": NOON,
        "application_id": "app_a",
        "model": "model-a",
        "quantities": {"input_tokens": Decimal(reported), "cached_input_tokens": Decimal(10)},
        "labels": {"usage_source": "provider"},
        "counted": None if counted is None else {"input_tokens": Decimal(counted)},
    }
    return AcceptedEvent(**{**values, **changed})


@pytest.fixture
async def stored(database: Database) -> Database:
    """Two tenants with calls that were counted beside what was reported."""
    async with database.raw() as connection:
        await connection.execute(
            "INSERT INTO tenants (id, slug, name) VALUES"
            " ('ten_a', 'a', 'Sample A'), ('ten_b', 'b', 'Sample B')"
        )
        await count_events(
            connection,
            [
                event(1, 90, 100),
                event(2, 192, 200, tenant_id="ten_b"),
                event(3, 1_000, None),
                event(4, 1_000, 2_000, labels={"usage_source": "local"}),
                event(5, 90, 80, time=NOON - timedelta(days=1)),
                event(6, 0, 100, time=NOON - timedelta(days=20), model="model-b"),
            ],
        )
    return database


async def rows(database: Database) -> dict[tuple[date, str], tuple[Decimal, Decimal, int]]:
    async with database.begin() as connection:
        report = await drift_report(
            connection,
            Settings(),
            start=TODAY - timedelta(days=60),
            end=TODAY + timedelta(days=1),
        )
    return {(row.day, row.model): (row.reported, row.counted, row.events) for row in report.rows}


async def test_a_pass_sums_over_tenants_and_a_second_changes_nothing(stored: Database) -> None:
    drift = DriftWorker(stored, Settings())
    assert await drift.once(NOON) == 36
    expected = {
        (TODAY, "model-a"): (Decimal(302), Decimal(300), 2),
        (TODAY - timedelta(days=1), "model-a"): (Decimal(100), Decimal(80), 1),
        (TODAY - timedelta(days=20), "model-b"): (Decimal(10), Decimal(100), 1),
    }
    assert await rows(stored) == expected
    # Today is computed again, and days that had nothing to compute are looked at.
    assert await drift.once(NOON) == 34
    assert await rows(stored) == expected


async def test_what_was_voided_is_gone_at_the_next_pass(stored: Database) -> None:
    drift = DriftWorker(stored, Settings())
    await drift.once(NOON)
    async with stored.raw() as connection:
        await connection.execute("UPDATE events SET voided = true WHERE id IN ('1', '2')")
    await drift.once(NOON)
    assert (TODAY, "model-a") not in await rows(stored)


async def test_the_days_of_archived_events_keep_their_sums(stored: Database) -> None:
    drift = DriftWorker(stored, Settings())
    await drift.once(NOON)
    day = NOON.replace(hour=0) - timedelta(days=20)
    later = NOON + timedelta(days=2)  # by then it would be computed again
    async with stored.raw() as connection:
        await connection.execute("DELETE FROM events WHERE time < $1", day + timedelta(days=1))
        await connection.execute(
            "INSERT INTO event_archives (tenant_id, start_at, end_at, file, sha256, event_count)"
            " VALUES ('ten_a', $1, $2, 'file', 'digest', 1)",
            day,
            day + timedelta(days=1),
        )
        await connection.execute("UPDATE token_drift SET computed_at = now() - interval '2 days'")
    await drift.once(later)
    assert (day.date(), "model-b") in await rows(stored)


async def test_drift_is_told_in_the_log_as_it_begins_and_as_it_ends(stored: Database) -> None:
    drift = DriftWorker(stored, Settings(drift_tolerance=Decimal("0.01")))
    with capture_logs() as logs:
        await drift.once(NOON)
        await drift.once(NOON)
        async with stored.raw() as connection:
            await count_events(connection, [event(7, 100, 200)])
            await drift.once(NOON)
            await drift.once(NOON)
            await connection.execute("UPDATE events SET voided = true WHERE id = '7'")
        await drift.once(NOON)
    entries = [{name: entry[name] for name in ("event", "model", "ratio", "day")} for entry in logs]
    yesterday = (TODAY - timedelta(days=1)).isoformat()
    today = {"model": "model-a", "day": TODAY.isoformat()}
    assert entries == [
        {
            "event": "drift.beyond_tolerance",
            "model": "model-a",
            "ratio": "0.25",
            "day": yesterday,
        },
        {"event": "drift.beyond_tolerance", "ratio": "-0.176", **today},
        {"event": "drift.within_tolerance", "ratio": "0.006667", **today},
    ]


async def test_a_pass_leaves_the_day_to_the_worker_that_is_at_it(stored: Database) -> None:
    async with stored.begin() as connection:
        await compute_day(connection, TODAY)
        async with stored.raw() as other:
            await other.execute(f"SELECT pg_advisory_lock({0x6472_6966_74})")
            assert await DriftWorker(stored, Settings()).once(NOON) == 0


async def test_drift_beyond_the_tolerance_alerts_and_is_a_gauge(
    api: httpx.AsyncClient, operator: dict[str, str], session: dict[str, str], stored: Database
) -> None:
    await DriftWorker(stored, Settings()).once(NOON)
    answer = await api.get("/v1/drift", headers=operator)
    assert answer.status_code == 200, answer.text
    by_meter = {(row["model"], row["meter"]): row for row in answer.json()["models"]}
    both_days = by_meter["model-a", "input_tokens"]
    assert (both_days["reported"], both_days["counted"], both_days["events"]) == ("402", "380", 3)
    assert (both_days["ratio"], both_days["alert"]) == ("0.057895", True)
    today = {"start": TODAY.isoformat(), "model": "model-a"}
    only = (await api.get("/v1/drift", headers=operator, params=today)).json()["models"]
    assert [(row["ratio"], row["alert"]) for row in only] == [("0.006667", False)]
    metrics = (await api.get("/metrics", headers=operator)).text
    assert 'farebox_token_drift_ratio{meter="input_tokens",model="model-a"} 0.006667' in metrics
    application = (await api.get("/v1/applications", headers=session)).json()["items"][0]["id"]
    key_answer = await api.post(
        "/v1/keys",
        headers=session,
        json={"name": "reads", "application_id": application, "scopes": ["usage:read"]},
    )
    tenants_own = {"authorization": f"Bearer {key_answer.json()['secret']}"}
    assert (await api.get("/v1/drift", headers=tenants_own)).status_code == 403
    for wrong in ({"start": TODAY.isoformat(), "end": TODAY.isoformat()}, {"end": "0001-01-01"}):
        assert (await api.get("/v1/drift", headers=operator, params=wrong)).status_code == 422


async def test_the_command_line_shows_it_and_fails_beyond_the_tolerance(
    stored: Database, tmp_path: Path
) -> None:
    def farebox(tolerance: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "DATABASE_URL": stored.url,
            "FAREBOX_HOME": str(tmp_path),
            "FAREBOX_DRIFT_TOLERANCE": tolerance,
            "COLUMNS": "200",
        }
        return run_farebox("drift", *arguments, environment=environment)

    assert farebox("0.02").stdout.startswith("No call was both reported and counted")
    await DriftWorker(stored, Settings()).once(NOON)
    shown = farebox("0.02")
    assert shown.returncode == 1, shown.stderr
    [line] = [line for line in shown.stdout.splitlines() if "model-a" in line]
    row = " ".join(line.split())
    assert row == "model-a input_tokens 402 380 3 +5.79 % beyond the tolerance"
    within = farebox("0.02", "--days", "1")
    assert within.returncode == 0
    assert "+0.67 %" in within.stdout
    assert farebox("100", "--model", "model-b").returncode == 0


async def test_metrics_answer_while_the_table_is_held(
    api: httpx.AsyncClient, operator: dict[str, str], database: Database
) -> None:
    async with database.raw() as other, other.transaction():
        await other.execute("LOCK TABLE token_drift IN ACCESS EXCLUSIVE MODE")
        answer = await api.get("/metrics", headers=operator)
    assert answer.status_code == 200
    assert "farebox_http_requests_total" in answer.text
    assert "farebox_token_drift_ratio" not in answer.text
