"""The cookbook's price models load, and rate to the bills that its page works out by hand."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest

from backend.catalog.yaml_reading import load_catalog
from backend.pricing.charges.meters import value_of
from backend.pricing.rating.rated_period import MeteredQuantity, rate
from backend_client.types.catalog import Catalog
from backend_client.types.plans import PlanDefinition
from tests.docs.pages import DOCS
from tests.pricing.strategies import PERIOD, whole

pytestmark = pytest.mark.fast

M = 1_000_000
ANY = "any-model"
REALTIME, GPT, OPUS, HAIKU = "gpt-realtime-1.5", "gpt-5.2", "claude-opus-4-8", "claude-haiku-5-5"
FLASH, SONAR, GROK = "deepseek-flash", "sonar-deep-research", "grok-speech-to-text"
LARGE, SMALL = "llama-3.3-70b-versatile", "llama-3.1-8b-instant"
BATCH, LONG = {"processing": "batch"}, {"context": "long"}


def of(
    meter: str, quantity: float | str, model: str = ANY, *, window: str | None = None, **labels: str
) -> MeteredQuantity:
    counted_by = tuple(sorted(labels.items()))
    return MeteredQuantity(model, meter, Decimal(str(quantity)), window, counted_by)


@cache
def cookbook() -> Catalog:
    return load_catalog(DOCS / "cookbook.yaml")


def plans() -> dict[str, PlanDefinition]:
    return {plan.id: plan for plan in cookbook().plans}


def derived(meter_id: str, *each: int) -> MeteredQuantity:
    """What a meter of the file makes of events with these quantities."""
    meters = {meter.id: meter for meter in cookbook().meters}
    meter = meters[meter_id]
    values = [value_of(meter, ANY, {}, {meter.of[0]: Decimal(quantity)}) for quantity in each]
    return of(meter_id, str(sum(value for value in values if value is not None)))


BILLS: list[tuple[str, list[MeteredQuantity], str]] = [
    (
        "openai-realtime",
        [
            of("input_tokens", 2 * M, REALTIME),
            of("cached_input_tokens", M, REALTIME),
            of("output_tokens", M // 2, REALTIME),
            of("audio_input_tokens", 3 * M, REALTIME),
            of("audio_output_tokens", 2 * M, REALTIME),
            of("image_input_tokens", M, REALTIME),
        ],
        "245.40",
    ),
    (
        "openai-gpt-5-2",
        [of("input_tokens", 100 * M, GPT), of("output_tokens", 25 * M, GPT)],
        "525.00",
    ),
    (
        "openai-gpt-5-2",
        [
            of("input_tokens", 100 * M, GPT),
            of("output_tokens", 25 * M, GPT),
            of("input_tokens", 100 * M, GPT, **BATCH),
            of("output_tokens", 25 * M, GPT, **BATCH),
        ],
        "787.50",
    ),
    (
        "openai-gpt-5-5",
        [
            of(meter, quantity, "gpt-5.5", **labels)
            for labels in ({}, {"service_tier": "flex"}, {"service_tier": "priority"})
            for meter, quantity in (("input_tokens", 10 * M), ("output_tokens", 2 * M))
        ],
        "440.00",
    ),
    (
        "anthropic-opus",
        [
            of("input_tokens", 10 * M, OPUS),
            of("cache_write_tokens", 2 * M, OPUS),
            of("cache_write_1h_tokens", M, OPUS),
            of("cached_input_tokens", 40 * M, OPUS),
            of("output_tokens", 3 * M, OPUS),
        ],
        "167.50",
    ),
    (
        "anthropic-haiku",
        [
            of("input_tokens", 50 * M, HAIKU),
            of("output_tokens", 4 * M, HAIKU),
            of("input_tokens", 10 * M, HAIKU, **LONG),
            of("output_tokens", M, HAIKU, **LONG),
        ],
        "14.50",
    ),
    (
        "deepseek-flash",
        [
            *(
                of(meter, quantity * M, FLASH, window=window)
                for window in (None, "peak-early")
                for meter, quantity in (
                    ("cached_input_tokens", 10),
                    ("input_tokens", 10),
                    ("output_tokens", 5),
                )
            ),
            of("output_tokens", M, FLASH, window="peak-late"),
        ],
        "14.79",
    ),
    (
        "perplexity-research",
        [
            of("input_tokens", M, SONAR),
            of("output_tokens", M // 2, SONAR),
            of("citation_tokens", 2 * M, SONAR),
            of("reasoning_tokens", 3 * M, SONAR),
            of("searches", 1_800, SONAR),
        ],
        "28.00",
    ),
    ("perplexity-search", [of("requests", 12_345)], "61.73"),
    ("tavily-project", [of("credits", 10_000)], "78.00"),
    ("tavily-project", [of("credits", 4_000)], "30.00"),
    (
        "exa",
        [
            of("searches", 20_000),
            of("additional_results", 5_000),
            of("pages", 8_000),
            of("answers", 2_000),
        ],
        "163.00",
    ),
    ("pinecone-standard", [of("usage_dollars", 20)], "50.00"),
    ("pinecone-standard", [of("usage_dollars", 100)], "100.00"),
    ("deepgram-flux", [of("audio_seconds", 100_000, "flux-general-multi")], "13.00"),
    (
        "assemblyai",
        [
            of("audio_hours", "100.5", "universal-2"),
            of("audio_hours", 10, "universal-3.5-pro"),
            of("audio_hours", 2, "voice-agent"),
        ],
        "26.18",
    ),
    (
        "xai-speech",
        [of("audio_hours", 300, GROK), of("audio_hours", 50, GROK, mode="streaming")],
        "40.00",
    ),
    ("lmnt-indie", [of("characters", 250_000)], "12.50"),
    ("modal-team", [of("compute_dollars", 400)], "650.00"),
    (
        "cohere",
        [
            of("searches", 30_000, "rerank-v4.0-fast"),
            of("input_tokens", 10 * M, "command-r"),
            of("output_tokens", 2 * M, "command-r"),
            of("input_tokens", 5 * M, "embed-v4.0"),
        ],
        "63.30",
    ),
    (
        "groq",
        [
            of("input_tokens", 100 * M, LARGE),
            of("output_tokens", 20 * M, LARGE),
            of("input_tokens", 200 * M, SMALL),
            of("output_tokens", 50 * M, SMALL),
        ],
        "88.80",
    ),
    ("merge-gateway", [of("provider_dollars", "1234.56")], "1296.29"),
    ("keyframe-growth", [of("minutes", 1_500)], "130.00"),
    ("algebras-standard", [of("words", 20_000), of("listener_hours", "3.5")], "27.50"),
    (
        "fal-music",
        [derived("billed_music_seconds", 30, 60, 61)],
        "2.40",
    ),
    (
        "fal",
        [
            of("megapixels", 2_000, "fal-ai/flux-1/dev"),
            of("video_seconds", 100, "fal-ai/kling-video/v1.6/standard"),
        ],
        "54.50",
    ),
    (
        "replicate",
        [
            of("gpu_seconds", 100_000, gpu="t4"),
            of("gpu_seconds", 10_000, gpu="l40s"),
            of("gpu_seconds", 1_000, gpu="a100"),
        ],
        "33.65",
    ),
    ("openrelay-4090", [of("gpu_hours", 720)], "208.80"),
    (
        "voyage",
        [
            of("input_tokens", 100 * M, "voyage-3-large"),
            of("input_tokens", 500 * M, "voyage-3-lite"),
            of("input_tokens", 40 * M, "rerank-2.5"),
        ],
        "30.00",
    ),
]


def rows() -> dict[str, str]:
    """The page's rows, by plan."""
    page = (DOCS / "cookbook.md").read_text()
    return dict(re.findall(r"^\| `([a-z0-9-]+)` \| (.*) \|$", page, re.MULTILINE))


@pytest.mark.parametrize(("plan_id", "usage", "total"), BILLS)
def test_a_plan_rates_to_its_bill(plan_id: str, usage: list[MeteredQuantity], total: str) -> None:
    bill = rate([whole(plans()[plan_id], usage)], PERIOD, "USD")
    assert (str(bill.total), bill.unpriced) == (total, ())
    row = rows()[plan_id].replace(",", "")
    assert total.removesuffix(".00") in row


def test_every_plan_has_a_row_with_its_page_and_a_bill() -> None:
    assert len(plans()) >= 20
    assert plans().keys() == rows().keys() == {plan_id for plan_id, _, _ in BILLS}
    for plan_id, plan in plans().items():
        page, _, read = plan.description.rpartition(", ")
        assert f"({page}), {read} |" in rows()[plan_id]
        assert re.fullmatch(r"202\d(-\d\d)?(-\d\d)?", read), plan_id
        assert page.startswith("https://")


def test_the_page_counts_its_plans() -> None:
    assert f"models of {len(plans())} real AI APIs" in Path(DOCS / "cookbook.md").read_text()
