"""The sample tenants, and how their applications use models."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from backend_client.types.accounts import TenantCreate

EVERY_DAY = (1.0,) * 7


def _hours(*ranges: tuple[int, int, float]) -> tuple[float, ...]:
    """Weights of the 24 hours of a day, from ranges of (first, last, weight)."""
    weights = [0.0] * 24
    for first, last, weight in ranges:
        weights[first : last + 1] = [weight] * (last + 1 - first)
    return tuple(weights)


@dataclass(frozen=True, slots=True)
class SampleSeries:
    """How one key of an application uses one model.

    ``requests`` are a day's on the first day, and grow by ``growth`` of that a day. ``hours`` and
    ``weekdays`` (Monday first) weigh the tenant's clock and week. Token figures are means of a
    request; ``noise`` is the spread of a day's level, and ``idle`` the share of days without use.
    """

    application: str
    key: str
    model: str
    requests: float
    hours: tuple[float, ...]
    weekdays: tuple[float, ...]
    input_tokens: float
    output_tokens: float
    cached: float = 0.0
    reasoning: float = 0.0
    growth: float = 0.0
    noise: float = 0.1
    idle: float = 0.0
    month_end: float = 1.0
    """Weight of a month's last two days."""
    streamed: float = 0.0
    """The share of calls whose answers are streamed."""
    refused: float = 0.0005
    """How many calls are refused for each that is made."""
    refused_by: str = "requests_per_minute"
    """The limit that refuses them."""

    @property
    def name(self) -> str:
        """What its events' ids begin with."""
        return f"{self.application}/{self.key}/{self.model}"


@dataclass(frozen=True, slots=True)
class SampleTenant:
    """A sample tenant and its usage."""

    wanted: TenantCreate
    series: tuple[SampleSeries, ...]

    @property
    def zone(self) -> ZoneInfo:
        """Where its days begin."""
        return ZoneInfo(self.wanted.time_zone or "UTC")


_WAKING = _hours((0, 5, 0.15), (6, 7, 0.6), (8, 17, 1.6), (18, 21, 1.2), (22, 23, 0.5))
_OFFICE = _hours((7, 7, 0.4), (8, 11, 1.5), (12, 12, 0.9), (13, 17, 1.4), (18, 19, 0.4))
_NIGHT = _hours((1, 1, 0.6), (2, 4, 1.6), (5, 5, 0.4))
_EVENING = _hours((9, 17, 0.2), (18, 23, 1.0))

SAMPLE_TENANTS = (
    SampleTenant(
        TenantCreate(
            slug="sample-chat",
            name="Sample: growing chat product",
            time_zone="Europe/Berlin",
            plan="pay-as-you-go",
            is_sample=True,
        ),
        (
            SampleSeries(
                application="Web chat",
                key="web",
                model="sample-large",
                requests=1_800,
                hours=_WAKING,
                weekdays=(1.1, 1.15, 1.15, 1.1, 1.0, 0.6, 0.55),
                input_tokens=850,
                output_tokens=320,
                cached=0.35,
                reasoning=0.15,
                growth=0.006,
                streamed=0.95,
                refused=0.002,
            ),
            SampleSeries(
                application="Web chat",
                key="web",
                model="sample-small",
                requests=2_600,
                hours=_WAKING,
                weekdays=(1.1, 1.15, 1.15, 1.1, 1.0, 0.6, 0.55),
                input_tokens=420,
                output_tokens=90,
                cached=0.2,
                growth=0.006,
                streamed=0.6,
                refused=0.002,
            ),
            SampleSeries(
                application="Mobile app",
                key="mobile",
                model="sample-small",
                requests=900,
                hours=_EVENING,
                weekdays=(0.9, 0.9, 0.9, 0.95, 1.1, 1.3, 1.25),
                input_tokens=380,
                output_tokens=160,
                growth=0.012,
                noise=0.15,
                streamed=0.9,
                refused=0.008,
            ),
        ),
    ),
    SampleTenant(
        TenantCreate(
            slug="sample-batch",
            name="Sample: nightly batch work",
            time_zone="America/New_York",
            plan="growth-yearly",
            is_sample=True,
        ),
        (
            SampleSeries(
                application="Document indexing",
                key="indexer",
                model="sample-small",
                requests=14_000,
                hours=_NIGHT,
                weekdays=(1.1, 1.1, 1.1, 1.1, 1.1, 0.5, 0.4),
                input_tokens=1_900,
                output_tokens=70,
                noise=0.2,
                refused=0.012,
                refused_by="tokens_per_minute",
            ),
            SampleSeries(
                application="Reports",
                key="reports",
                model="sample-large",
                requests=220,
                hours=_OFFICE,
                weekdays=(1.3, 1.0, 1.0, 1.0, 1.2, 0.0, 0.0),
                input_tokens=6_500,
                output_tokens=1_400,
                cached=0.5,
                reasoning=0.3,
                noise=0.15,
                month_end=3.0,
                streamed=0.1,
                refused_by="concurrent_requests",
            ),
        ),
    ),
    SampleTenant(
        TenantCreate(
            slug="sample-starter",
            name="Sample: trying the free plan",
            time_zone="Asia/Kolkata",
            plan="free",
            is_sample=True,
        ),
        (
            SampleSeries(
                application="Prototype",
                key="laptop",
                model="sample-small",
                requests=28,
                hours=_EVENING,
                weekdays=(0.8, 0.8, 0.8, 0.8, 0.9, 1.5, 1.4),
                input_tokens=520,
                output_tokens=180,
                growth=0.005,
                noise=0.4,
                idle=0.12,
                streamed=0.8,
                refused=0.01,
            ),
            SampleSeries(
                application="Prototype",
                key="laptop",
                model="smollm2-135m-instruct",
                requests=12,
                hours=_EVENING,
                weekdays=EVERY_DAY,
                input_tokens=160,
                output_tokens=110,
                noise=0.5,
                idle=0.3,
                streamed=0.8,
                refused=0.01,
            ),
        ),
    ),
)
