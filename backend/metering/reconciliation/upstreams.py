"""Whose usage an export bills: of which upstreams. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection

from backend_client.types.reconciliation import ReconciliationOptions

UNNAMED = ""
"""The upstream of usage whose sender did not say who served it."""


def named_upstreams(options: ReconciliationOptions) -> frozenset[str]:
    """Return the upstreams that the options name, all of whose models are compared."""
    return frozenset(options.upstreams or [options.provider]) - {UNNAMED}


def billed_by(
    options: ReconciliationOptions, configured: Collection[str], recorded: Collection[str]
) -> Callable[[str], bool]:
    """Return whether an upstream's usage is the provider's.

    Two providers of one model are told apart by it. Where the provider is neither a configured
    upstream nor one that the usage names, nothing says whose the usage is: then all of it counts.
    """
    if options.upstreams is not None:
        return frozenset(options.upstreams).__contains__
    provider = options.provider
    if provider in recorded or provider in configured:
        return frozenset({provider, UNNAMED}).__contains__
    return lambda _upstream: True
