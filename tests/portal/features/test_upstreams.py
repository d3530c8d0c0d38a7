"""How upstreams are shown, and what their form asks for: plain functions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest

from backend_client.types.models import Latency
from backend_client.types.upstream_health import (
    UpstreamCircuit,
    UpstreamFailure,
    UpstreamHealth,
    UpstreamKeyTest,
    UpstreamModelHealth,
    UpstreamTest,
)
from backend_client.types.upstreams import (
    AwsSignature,
    Upstream,
    UpstreamKeyInfo,
    UpstreamKind,
    UpstreamPut,
    UpstreamRules,
    UpstreamTerms,
    UpstreamTimeouts,
)
from portal.features.upstreams.forms import by_field, name_from_form, upstream_from_form
from portal.features.upstreams.rows import (
    KINDS,
    UpstreamEdit,
    details_of,
    edit_of,
    key_outcomes,
    outcome_text,
    upstream_row,
)
from portal.kit.form_problems import FormProblems

pytestmark = pytest.mark.fast

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
WELL = UpstreamHealth(
    state="closed",
    processes=2,
    under_way=3,
    attempts=1000,
    failed=15,
    error_rate=0.015,
    first_token=Latency(p50=0.42, p95=1.5),
    models=[
        UpstreamModelHealth(
            model="own", attempts=1000, error_rate=0.015, first_token=Latency(p50=0.42, p95=1.5)
        )
    ],
    circuits=[],
    last_failure=UpstreamFailure(
        at=NOW - timedelta(minutes=5), model="own", outcome="timeout", detail="It was late."
    ),
)


def upstream(**changes: Any) -> Upstream:
    usual: dict[str, Any] = {
        "name": "main",
        "source": "database",
        "state": "active",
        "base_url": "https://models.example/v1",
        "models": {"fast": "own", "slow": "slow"},
        "keys": [UpstreamKeyInfo(environment=None, last_four="6789")],
        "changed_at": NOW,
        "sole_models": ["fast"],
        "health": WELL,
    }
    return Upstream(**{**usual, **changes})


def test_a_row_says_how_an_upstream_fares() -> None:
    row = upstream_row(upstream(), NOW)
    assert (row.state, row.color, row.note) == ("Works", "green", "")
    assert (row.errors, row.first_token, row.under_way) == ("1.5%", "0.42 s, p95 1.5 s", "3")
    assert row.models == "fast, slow"
    assert "No other upstream serves fast" in row.warning
    circuit = UpstreamCircuit(
        process="one 7",
        model="fast",
        state="open",
        until=NOW + timedelta(seconds=20),
        keys=2,
        keys_resting=1,
    )
    ill = WELL.model_copy(update={"state": "open", "circuits": [circuit]})
    row = upstream_row(upstream(health=ill), NOW)
    assert (row.state, row.color, row.note) == ("Left out", "red", "fast: at 1 of 2 processes")
    (shown,) = details_of(upstream(health=ill), NOW).circuits
    assert (shown.until, shown.resting) == ("in 20 s", "1 of 2 rest")

    for state, word in (("disabled", "Disabled"), ("retired", "Retired")):
        assert upstream_row(upstream(state=state), NOW).state == word
    unknown = WELL.model_copy(update={"processes": 0, "error_rate": None, "first_token": None})
    row = upstream_row(upstream(health=unknown, source="settings", sole_models=[]), NOW)
    assert (row.state, row.errors, row.first_token) == ("Not in use yet", "–", "–")
    assert (row.own, row.warning) == (False, "")


def test_every_kind_has_a_name() -> None:
    assert set(KINDS) == set(get_args(UpstreamKind))


def test_details_have_models_that_nobody_called_and_the_last_failure() -> None:
    details = details_of(upstream(), NOW)
    fast, slow = details.models
    assert (fast.own_name, fast.attempts, fast.errors) == ("own", "1,000", "1.5%")
    assert (slow.own_name, slow.attempts, slow.errors) == ("", "0", "–")
    facts = {fact.name: fact.value for fact in details.facts}
    assert facts["Keys"] == "•••• 6789"
    assert "own took too long. It was late." in facts["Last failure"]


def test_a_test_is_told_in_a_sentence_and_by_key_where_there_are_several() -> None:
    good = UpstreamKeyTest(
        environment=None, last_four="6789", went_well=True, status=200, seconds=0.5, detail="Hi"
    )
    wrong = good.model_copy(
        update={"environment": "FAREBOX_UPSTREAM_KEY_B", "went_well": False, "detail": "Expired."}
    )
    tested = UpstreamTest(
        went_well=False,
        model="own",
        protocol="chat",
        status=None,
        seconds=3.2,
        detail="Away.",
        keys=[good],
    )
    assert outcome_text(tested) == "No answer after 3.20 s from own (chat). It said: Away."
    assert key_outcomes(tested) == []
    both = key_outcomes(tested.model_copy(update={"keys": [good, wrong]}))
    assert [(each.name, each.works, each.text) for each in both] == [
        ("Key 1, •••• 6789", True, "Works (0.50 s)"),
        ("Key 2, FAREBOX_UPSTREAM_KEY_B", False, "Expired."),
    ]


def test_what_the_form_starts_with_asks_for_the_same_upstream() -> None:
    wanted = upstream(
        kind="azure",
        priority=2,
        weight=3,
        max_concurrency=7,
        stops_when_left=True,
        timeouts=UpstreamTimeouts(idle_seconds=2.5),
        rules=UpstreamRules(
            allow=("service_tier",),
            only=("messages", "model"),
            drop=("user",),
            force={"temperature": 0},
            output_limit="max_tokens",
            stream_usage=False,
        ),
        headers={"x-team": "a: b"},
        query={"api-version": "2024-10-21"},
        paths={"chat": "talk/{model}"},
        key_header="x-key",
        aws_signature=None,
        speaks=("chat", "embeddings"),
    )
    form = {
        name: ("on" if value is True else "" if value is False else value)
        for name, value in vars(edit_of(wanted)).items()
        if name not in {"kept_keys", "name"}
    }
    put = upstream_from_form(form)
    assert put.keys is None
    assert put.model_dump(exclude={"keys"}) == wanted.model_dump(
        include=set(UpstreamTerms.model_fields)
    )
    new = {**vars(UpstreamEdit()), "base_url": "https://x.example", "models": "m"}
    usual = upstream_from_form({**new, "stream_usage": "on"})
    assert usual == UpstreamPut(base_url="https://x.example", models=["m"])


def test_calls_are_signed_for_a_region_that_the_form_has() -> None:
    form = {"base_url": "https://x.example", "models": "m", "kind": "bedrock"}
    signed = upstream_from_form(form | {"aws_region": "us-east-1", "keys": "AKIDEXAMPLE:s"})
    assert signed.aws_signature == AwsSignature(region="us-east-1", service="bedrock")
    edited = edit_of(upstream(aws_signature=AwsSignature(region="eu-west-1", service="other")))
    assert (edited.aws_region, edited.aws_service) == ("eu-west-1", "other")
    for wrong, name in (
        ({"aws_region": "us east"}, "aws_region"),
        ({"aws_service": "bedrock"}, "aws_region"),
        ({"aws_region": "us-east-1", "keys": "no-pair"}, "keys"),
    ):
        with pytest.raises(FormProblems) as problems:
            upstream_from_form({**form, **wrong})
        assert list(problems.value.by_field) == [name]


def test_keys_are_written_a_line_each_and_kept_unless_they_go() -> None:
    form = {"base_url": "https://x.example", "models": "m", "stream_usage": "on"}
    written = " secret-one \n\nFAREBOX_UPSTREAM_KEY_MAIN\n"
    keys = upstream_from_form({**form, "keys": written}).keys
    assert keys is not None
    assert [(key.secret, key.environment) for key in keys] == [
        ("secret-one", None),
        (None, "FAREBOX_UPSTREAM_KEY_MAIN"),
    ]
    assert upstream_from_form(form).keys is None
    assert upstream_from_form({**form, "no_keys": "on"}).keys == ()


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"base_url": "models.example"}, "base_url"),
        ({"models": " \n "}, "models"),
        ({"models": "= own"}, "models"),
        ({"priority": "-1"}, "priority"),
        ({"weight": "much"}, "weight"),
        ({"max_concurrency": "0"}, "max_concurrency"),
        ({"idle_seconds": "0"}, "idle_seconds"),
        ({"force": "[1]"}, "force"),
        ({"force": '{"model": "dear"}'}, "force"),
        ({"headers": "host: x"}, "headers"),
        ({"query": "api-version"}, "query"),
        ({"paths": "chat: ../up"}, "paths"),
    ],
)
def test_what_can_not_be_used_is_told_at_its_field(wrong: dict[str, str], name: str) -> None:
    with pytest.raises(FormProblems) as caught:
        upstream_from_form({"base_url": "https://x.example", "models": "m", **wrong})
    assert set(caught.value.by_field) == {name}


def test_a_name_is_one_that_an_address_can_have() -> None:
    assert name_from_form({"name": " main-1 "}) == "main-1"
    for wrong in ("", "a name", "-x", "x" * 101):
        with pytest.raises(FormProblems):
            name_from_form({"name": wrong})
    assert by_field([("", "It failed.")]) == {"form": "It failed."}
