"""A model's page: an hour a bar, limits that there are, examples that hold its id."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from backend_client.types.entitlements import Entitlements
from backend_client.types.models import Latency, ModelHour, ModelPerformance
from portal.features.model.rows import HOURS, hour_bars, limit_rows
from portal.features.model.samples import curl, javascript, python

pytestmark = pytest.mark.fast

NOW = datetime(2026, 11, 30, 12, 30, tzinfo=UTC)


def hour(ago: int, p50: float | None, error_rate: float = 0.0) -> ModelHour:
    start = NOW.replace(minute=0) - timedelta(hours=ago)
    end = start + timedelta(hours=1)
    return ModelHour(start=start, end=end, error_rate=error_rate, total_p50=p50)


def test_each_of_the_last_hours_is_a_bar_by_the_tenants_clock() -> None:
    performance = ModelPerformance(
        model="small",
        error_rate=0.1,
        total=Latency(p50=1, p95=2),
        first_token=None,
        hours=[hour(1, 1.0), hour(0, 2.0, 0.2), hour(3, None, 1.0)],
    )
    bars = hour_bars(performance, NOW, "Europe/Berlin")
    assert len(bars) == HOURS
    assert [(bar.height, bar.look) for bar in bars[-4:]] == [
        (6, "bad"),
        (6, "none"),
        (50, "good"),
        (100, "bad"),
    ]
    assert bars[-1].text == "13:00: 2.00 s, 20.0% errors"
    assert bars[-4].text == "10:00: no answers, 100.0% errors"


def test_without_entitlements_no_limits_are_shown() -> None:
    assert limit_rows(None, "UTC", "small") == []


def test_a_plans_limits_on_a_model_are_shown_with_whom_it_shares_them() -> None:
    entitlements = Entitlements.model_validate(
        {
            "as_of": "2026-11-24T12:15:00Z",
            "plan": "pro",
            "plan_version": 1,
            "state": "active",
            "suspended": False,
            "models": ["large"],
            "features": [],
            "quotas": [],
            "limits": {"requests_per_minute": 1000},
            "model_limits": [
                {"models": ["large"], "concurrent_requests": 2},
                {"models": ["large", "huge"], "tokens_per_minute": 5000},
            ],
        }
    )
    shown = [(row.name, row.value) for row in limit_rows(entitlements, "UTC", "large")]
    assert shown == [
        ("Requests a minute", "1,000"),
        ("Requests at a time, of this model", "2"),
        ("Tokens a minute, with huge", "5,000"),
    ]
    assert len(limit_rows(entitlements, "UTC", "small")) == 1


@pytest.mark.parametrize("sample", [curl, python, javascript])
def test_an_example_calls_the_model_at_the_apis_address(sample: object) -> None:
    assert callable(sample)
    text = sample("https://api.example", 'odd "model"')
    assert 'odd \\"model\\"' in text
    assert "https://api.example/v1" in text
    assert "API_KEY" in text
