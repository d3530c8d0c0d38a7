"""What of a request reaches an upstream."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from backend.gateway.upstreams.rules import apply_beta_rules, apply_rules
from backend_client.types.upstreams import UpstreamRules

pytestmark = pytest.mark.fast

PLAIN = {"model": "m", "messages": [], "temperature": 0.5, "an_option_of_theirs": {"deep": [1]}}
FUNCTION = {"type": "function", "function": {"name": "f"}}


def test_without_rules_all_passes_that_costs_nothing_extra() -> None:
    harmless = {"service_tier": "default", "store": False, "speed": None}
    assert apply_rules(UpstreamRules(), PLAIN | harmless) == (PLAIN | harmless, ())


@pytest.mark.parametrize(
    "costly",
    [
        {"service_tier": "priority"},
        {"service_tier": "auto"},  # the project's own setting, which may be priority
        {"service_tier": ["default"]},
        {"store": True},
        {"web_search_options": {}},
        {"search_parameters": {"mode": "on"}},
        {"plugins": [{"id": "web"}]},
        {"speed": "fast"},
        {"inference_geo": "us"},
        {"background": True},
        {"models": ["dearer/model"]},
        {"route": "fallback"},
        {"provider": {"order": ["dearest"]}},
        {"preset": "dear"},
    ],
)
def test_what_costs_the_seller_extra_passes_where_it_is_allowed(costly: dict[str, Any]) -> None:
    (name,) = costly
    assert apply_rules(UpstreamRules(), PLAIN | costly) == (PLAIN, (name,))
    allowing = UpstreamRules(allow=(name,))
    assert apply_rules(allowing, PLAIN | costly) == (PLAIN | costly, ())


@pytest.mark.parametrize(
    "kind",
    ["web_search", "web_search_20250305", "file_search", "code_interpreter", "code_execution_1"],
)
def test_a_tool_that_the_provider_bills_passes_where_it_is_allowed(kind: str) -> None:
    asked = PLAIN | {"tools": [{"type": kind}, FUNCTION], "tool_choice": "auto"}
    sent, dropped = apply_rules(UpstreamRules(), asked)
    assert sent == PLAIN | {"tools": [FUNCTION], "tool_choice": "auto"}
    assert dropped == (f"tools.{kind}",)
    assert apply_rules(UpstreamRules(allow=(f"tools.{kind}",)), asked) == (asked, ())


def test_a_tool_is_allowed_with_all_its_versions() -> None:
    asked = PLAIN | {"tools": [{"type": "web_search_20250305"}]}
    assert apply_rules(UpstreamRules(allow=("tools.web_search",)), asked) == (asked, ())
    # A member of that name allows no tool
    assert apply_rules(UpstreamRules(allow=("web_search",)), asked)[1] != ()


def test_tools_of_the_customers_own_program_always_pass() -> None:
    kinds = ["custom", "bash_20250124", "text_editor_20250728", "computer_20250124", "local_shell"]
    tools = [FUNCTION, {"name": "without a kind"}, *({"type": kind} for kind in kinds), 5]
    assert apply_rules(UpstreamRules(), PLAIN | {"tools": tools}) == (PLAIN | {"tools": tools}, ())


def test_without_any_tool_left_nothing_is_chosen_among_them() -> None:
    asked = PLAIN | {"tools": [{"type": "file_search"}], "tool_choice": "required"}
    assert apply_rules(UpstreamRules(), asked) == (PLAIN, ("tools.file_search",))


def test_members_are_dropped_and_forced() -> None:
    rules = UpstreamRules(drop=("temperature",), force={"seed": 7, "store": False})
    sent, dropped = apply_rules(rules, PLAIN | {"seed": 1, "store": True})
    assert sent["seed"] == 7
    assert sent["store"] is False
    assert "temperature" not in sent
    assert dropped == ("temperature",)


def test_only_the_listed_members_pass_beside_the_model() -> None:
    rules = UpstreamRules(only=("messages",))
    sent, dropped = apply_rules(rules, PLAIN | {"stream": True})
    assert sent == {"model": "m", "messages": [], "stream": True}
    assert dropped == ("an_option_of_theirs", "temperature")


def test_the_limit_of_an_answer_has_the_name_that_the_upstream_knows() -> None:
    rules = UpstreamRules(output_limit="max_tokens", only=("messages",))
    sent, dropped = apply_rules(rules, {"model": "m", "max_completion_tokens": 5})
    assert (sent, dropped) == ({"model": "m", "max_tokens": 5}, ())
    # The call is bounded by the highest of several, so that no lower one takes its place
    both = {"model": "m", "max_completion_tokens": 5, "max_tokens": 9}
    assert apply_rules(rules, both)[0] == {"model": "m", "max_tokens": 9}


def test_an_upstream_that_knows_no_usage_of_streams_is_not_asked_for_it() -> None:
    asked = {"model": "m", "stream": True, "stream_options": {"include_usage": True}}
    sent, dropped = apply_rules(UpstreamRules(stream_usage=False), asked)
    assert (sent, dropped) == ({"model": "m", "stream": True}, ())


@pytest.mark.parametrize("member", ["model", "n", "stream", "max_tokens", "max_output_tokens"])
def test_what_bounds_the_price_of_a_call_is_neither_forced_nor_dropped(member: str) -> None:
    with pytest.raises(ValidationError, match=member):
        UpstreamRules(force={member: 5})
    assert apply_rules(UpstreamRules(drop=(member,)), {member: 5}) == ({member: 5}, ())


@pytest.mark.parametrize("name", ["Model", "MAX_TOKENS", "N", "\u017fervice_tier", "Tools", "Seed"])
def test_no_member_passes_in_the_disguise_of_other_letters(name: str) -> None:
    rules = UpstreamRules(drop=("seed",))
    assert apply_rules(rules, PLAIN | {name: 5}) == (PLAIN, (name,))
    assert apply_rules(rules, PLAIN | {"theirOption": 5}) == (PLAIN | {"theirOption": 5}, ())


def test_no_tool_passes_with_two_kinds() -> None:
    disguised = [{"type": "function", "Type": "web_search"}, {"TYPE": "web_search"}]
    sent, dropped = apply_rules(UpstreamRules(), PLAIN | {"tools": disguised})
    assert sent == PLAIN
    assert dropped == ("tools.ambiguous",)


def test_what_a_provider_takes_for_granted_is_denied_unless_it_may_pass() -> None:
    implied = {"store": True}
    denied = PLAIN | {"store": False}
    for asked in (PLAIN, denied):
        assert apply_rules(UpstreamRules(), asked, implied=implied) == (denied, ())
    asking = PLAIN | {"store": True}
    assert apply_rules(UpstreamRules(), asking, implied=implied) == (denied, ("store",))
    for asked in (PLAIN, denied, asking):
        allowing = UpstreamRules(allow=("store",))
        assert apply_rules(allowing, asked, implied=implied) == (asked, ())
    forcing = UpstreamRules(force={"store": True})
    assert apply_rules(forcing, PLAIN, implied=implied) == (asking, ())
    # An upstream that does not know the member gets none
    assert apply_rules(UpstreamRules(drop=("store",)), asking, implied=implied)[0] == PLAIN


def test_betas_that_can_cost_more_pass_where_they_are_allowed() -> None:
    cheap, dear = "interleaved-thinking-2025-05-14", "context-1m-2025-08-07"
    left_out = (f"anthropic-beta.{dear}",)
    assert apply_beta_rules(UpstreamRules(), f"{cheap}, {dear},") == (cheap, left_out)
    assert apply_beta_rules(UpstreamRules(), f"not-{cheap}")[0] == ""
    for name in ("anthropic-beta", "anthropic-beta.context-1m", f"anthropic-beta.{dear}"):
        allowing = UpstreamRules(allow=(name,))
        assert apply_beta_rules(allowing, f"{cheap},{dear}") == (f"{cheap},{dear}", ())
    for name in ("anthropic-beta", f"anthropic-beta.{cheap}"):
        dropping = UpstreamRules(drop=(name,), allow=("anthropic-beta",))
        assert apply_beta_rules(dropping, cheap) == ("", (f"anthropic-beta.{cheap}",))
