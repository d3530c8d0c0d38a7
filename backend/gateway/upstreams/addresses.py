"""Where an upstream serves a protocol, and how it wants its key, by its kind. Pure.

- ``openai``: https://platform.openai.com/docs/api-reference and every server that follows it.
- ``anthropic``: https://docs.anthropic.com/en/api/overview, with the version that it asks for.
- ``azure``: https://learn.microsoft.com/azure/ai-services/openai/reference, by deployment; the
  operator sets ``query: {"api-version": …}``.
- ``bedrock``: the routes of OpenAI's protocol on Amazon Bedrock's runtime, with a Bedrock API key,
  or signed (``signing``): https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-use.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, urlencode

from backend_client.types.upstreams import UpstreamKind, UpstreamTerms

_ANTHROPIC_PROTOCOLS: Final = frozenset({"messages", "count_tokens"})


@dataclass(frozen=True, slots=True)
class _Kind:
    key_header: str = "authorization"
    key_prefix: str = "Bearer "
    before_path: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


_KINDS: Final[Mapping[UpstreamKind, _Kind]] = {
    "openai": _Kind(),
    "anthropic": _Kind("x-api-key", "", headers={"anthropic-version": "2023-06-01"}),
    "azure": _Kind("api-key", "", before_path="openai/deployments/{model}/"),
    "bedrock": _Kind(before_path="openai/v1/"),
}


def speaks(terms: UpstreamTerms, protocol: str) -> bool:
    """Return whether an upstream serves a protocol itself, without translation."""
    if terms.speaks is not None:
        return protocol in terms.speaks
    return (terms.kind == "anthropic") == (protocol in _ANTHROPIC_PROTOCOLS)


def address(terms: UpstreamTerms, protocol: str, path: str, model: str) -> str:
    """Return the address of a protocol at an upstream.

    ``path`` is the protocol's own below ``/v1``, ``model`` the upstream's own name.
    """
    template = terms.paths.get(protocol) or _KINDS[terms.kind].before_path + path
    at = f"{terms.base_url}/{template.replace('{model}', quote(model, safe=':'))}"
    # A blank as %20: a signature is of what is sent, and + means either to those who check it
    return f"{at}?{urlencode(terms.query, quote_via=quote)}" if terms.query else at


def headers(terms: UpstreamTerms, key: str | None) -> dict[str, str]:
    """Return the headers of a call with a key or none; one that signs calls is not among them."""
    kind = _KINDS[terms.kind]
    sent = {"content-type": "application/json", **kind.headers, **terms.headers}
    if key is not None and terms.aws_signature is None:
        name = terms.key_header or kind.key_header
        sent[name] = f"{kind.key_prefix}{key}" if name == kind.key_header else key
    return sent
