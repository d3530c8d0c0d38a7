"""What of a customer's request reaches an upstream: the seller's key is not for everything. Pure.

Tokens are metered and priced. What costs beyond them would be the seller's loss: a faster tier of
service, searches and tools that the provider runs and bills by the call. These pass only where the
upstream's rules allow them.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Any, Final

from backend.gateway.protocols.parts.tools import kind_of, runs_at_caller
from backend_client.types.upstreams import BOUND_MEMBERS, UpstreamRules

_UNPRICED: Final[Mapping[str, frozenset[object]]] = {
    # OpenAI's and Anthropic's tiers: priority costs more
    "service_tier": frozenset({"default", "standard", "standard_only"}),
    # Anthropic's fast mode, at several times the price
    "speed": frozenset({"standard"}),
    # Anthropic's guarantee of a region has a surcharge
    "inference_geo": frozenset({"global"}),
    # Each search is billed: OpenAI's, xAI's and OpenRouter's
    "web_search_options": frozenset(),
    "search_parameters": frozenset(),
    "plugins": frozenset(),
    # OpenRouter's: other models than the one that is priced, providers at other prices, and
    # settings of the seller's account that may name either
    "models": frozenset(),
    "route": frozenset(),
    "provider": frozenset(),
    "preset": frozenset(),
    # Kept in the seller's own account, for whoever else has the key
    "store": frozenset({False}),
    "background": frozenset({False}),
}
"""Members that cost the seller extra, with the values that don't."""

_CHEAP_BETAS: Final = (
    "advanced-tool-use",
    "claude-code",
    "clear-thinking",
    "computer-use",
    "context-management",
    "effort",
    "extended-cache-ttl",
    "fine-grained-tool-streaming",
    "interleaved-thinking",
    "output-128k",
    "pdfs",
    "prompt-caching",
    "redact-thinking",
    "structured-outputs",
    "summarize-connector-text",
    "token-counting",
    "token-efficient-tools",
    "tool-examples",
    "tool-search-tool",
)
"""Anthropic's betas that change neither a price nor what is kept: the date comes after.

https://docs.claude.com/en/api/beta-headers
"""

_NAMES: Final = BOUND_MEMBERS | _UNPRICED.keys() | {"tools", "type"}
"""Members of which something is decided by their names."""
BETA_HEADER: Final = "anthropic-beta"
_BETA: Final = f"{BETA_HEADER}."
_CHAT_LIMITS: Final = ("max_completion_tokens", "max_tokens")

FETCHING: Final = frozenset({"mcp_servers", "plugins", "search_parameters", "web_search_options"})
"""Members by which a provider adds to the prompt what is not in the body, as much as fits."""


def apply_rules(
    rules: UpstreamRules, document: Mapping[str, Any], *, implied: Mapping[str, bool] | None = None
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return what is sent to an upstream, and the names of what was left out of it, sorted.

    A tool is named as ``tools.web_search``. ``implied`` is what the upstream takes a request to say
    that leaves it out: where that may not pass, the opposite is said.
    """
    passed: dict[str, Any] = {}
    dropped: list[str] = []
    for name, value in document.items():
        if name == "stream_options" and not rules.stream_usage:
            continue
        if _is_disguised(rules, name):
            dropped.append(name)
        elif name in BOUND_MEMBERS or name in rules.force or _passes(rules, name, value):
            passed[name] = value
        else:
            dropped.append(name)
    tools = passed.get("tools")
    if isinstance(tools, list):
        kept = [tool for tool in tools if _is_allowed_tool(rules, tool)]
        dropped += [f"tools.{kind_of(tool)}" for tool in tools if tool not in kept]
        _keep_tools(passed, tools, kept)
    for name, value in (implied or {}).items():
        if name not in passed and name not in rules.drop and not _passes(rules, name, value):
            passed[name] = not value
    if rules.output_limit is not None:
        _rename_limit(passed, rules.output_limit)
    passed.update(rules.force)
    return passed, tuple(sorted(set(dropped)))


def passes_nowhere(every: Iterable[UpstreamRules], document: Mapping[str, Any]) -> frozenset[str]:
    """Return what of a request makes providers fetch more and reaches none of these upstreams.

    What never gets there costs nothing, and is not to be held for.
    """
    if "tools" not in document and FETCHING.isdisjoint(document):
        return frozenset()
    left_out = [frozenset(apply_rules(rules, document)[1]) for rules in every]
    return frozenset(
        name
        for name in frozenset.intersection(*left_out)
        if name in FETCHING or name.startswith("tools.")
    )


def without(document: Mapping[str, Any], names: Container[str]) -> dict[str, Any]:
    """Return a request without members, and without tools as ``tools.web_search``."""
    kept = {name: value for name, value in document.items() if name not in names}
    tools = kept.get("tools")
    if isinstance(tools, list):
        _keep_tools(kept, tools, [tool for tool in tools if f"tools.{kind_of(tool)}" not in names])
    return kept


def apply_beta_rules(rules: UpstreamRules, betas: str) -> tuple[str, tuple[str, ...]]:
    """Return what is sent as ``anthropic-beta``, and what was left out, as ``anthropic-beta.x``.

    A beta can be a longer window at a higher price, a faster mode, or files that are kept.
    """
    allowed = (
        *_CHEAP_BETAS,
        *(name.removeprefix(_BETA) for name in rules.allow if name.startswith(_BETA)),
    )
    wanted = [beta for part in betas.split(",") if (beta := part.strip())]
    passed = [
        beta
        for beta in wanted
        if not {BETA_HEADER, f"{_BETA}{beta}"}.intersection(rules.drop)
        and (
            BETA_HEADER in rules.allow
            or any(beta == name or beta.startswith(f"{name}-") for name in allowed)
        )
    ]
    left_out = {f"{_BETA}{beta}" for beta in wanted if beta not in passed}
    return ",".join(passed), tuple(sorted(left_out))


def _is_disguised(rules: UpstreamRules, name: str) -> bool:
    """Return whether an upstream may take a member for another one, of which something is decided.

    Servers in Go, such as Ollama, read names in any case: ``Model`` after ``model`` replaces it.
    """
    plain = name.casefold()
    return name != plain and (plain in _NAMES or plain in rules.drop or plain in rules.force)


def _passes(rules: UpstreamRules, name: str, value: object) -> bool:
    if name in rules.drop or (rules.only is not None and name not in rules.only):
        return False
    if name in rules.allow or name not in _UNPRICED or value is None:
        return True
    harmless = _UNPRICED[name]
    return isinstance(value, str | bool) and value in harmless


def _is_allowed_tool(rules: UpstreamRules, tool: object) -> bool:
    kind = kind_of(tool)
    return runs_at_caller(kind) or any(
        kind == allowed or kind.startswith(f"{allowed}_")
        for name in rules.allow
        if (allowed := name.removeprefix("tools.")) != name
    )


def _rename_limit(passed: dict[str, Any], name: str) -> None:
    """Give the limit of an answer the name that the upstream knows; of several, the highest."""
    given = {limit: passed.pop(limit) for limit in _CHAT_LIMITS if limit in passed}
    numbers = [limit for limit in given.values() if type(limit) is int]
    if given:
        passed[name] = max(numbers) if numbers else next(iter(given.values()))


def _keep_tools(passed: dict[str, Any], tools: list[Any], kept: list[Any]) -> None:
    """Leave out the tools that are not kept; a choice among none would be refused."""
    if len(kept) == len(tools):
        return
    if kept:
        passed["tools"] = kept
    else:
        for member in ("tools", "tool_choice", "parallel_tool_calls"):
            passed.pop(member, None)
