"""Which model of the catalog a provider's name denotes."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from backend.settings import Upstream

_SNAPSHOT = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8}|latest)$")


def _spellings(name: str) -> tuple[str, ...]:
    """Return a name, and how else it may be spelled.

    That is without its version, without the vendor's name before it, and as an id.
    """
    after_vendor = name.rpartition("/")[2]
    as_id = after_vendor.strip().lower().replace(" ", "-").replace(".", "-")
    spellings = [
        spelling
        for spelled in (name, after_vendor, as_id)
        for spelling in (spelled, _SNAPSHOT.sub("", spelled))
    ]
    return tuple(dict.fromkeys(filter(None, spellings)))


class ModelNames:
    """Resolves a provider's names: as mapped, by FAREBOX_UPSTREAMS, the catalog, or the version."""

    def __init__(
        self, mapped: Mapping[str, str], upstreams: Sequence[Upstream], catalog: Collection[str]
    ) -> None:
        self._mapped = mapped
        self._catalog = frozenset(catalog)
        self._own = {own: sold for up in reversed(upstreams) for sold, own in up.models.items()}
        self._sold = {sold: own for own, sold in self._own.items()}
        self._seen: dict[str, list[str]] = {}

    def model_of(self, name: str) -> str:
        """Return the catalog's model, or the name itself if none has it."""
        model = self._resolved(name)
        seen = self._seen.setdefault(model, [])
        if name not in seen:
            seen.append(name)
        return model

    def _resolved(self, name: str) -> str:
        for possible in _spellings(name):
            model = self._mapped.get(possible) or self._own.get(possible)
            if model is None and possible in self._catalog:
                model = possible
            if model is not None:
                return model
        return name

    def own_names(self, model: str) -> tuple[str, ...]:
        """Return the provider's names for a model of the catalog, any of which has its list price.

        Names for people (Claude Sonnet 4.5) have none; the others of the model may.
        """
        names = [*self._seen.get(model, ()), self._sold.get(model, model), model]
        spelled = [spelling for name in names for spelling in _spellings(name)]
        return tuple(dict.fromkeys(spelled))

    def served_by(self, provider: str, upstreams: Sequence[Upstream]) -> set[str]:
        """Return the models that the upstream with the provider's name serves, if there is one."""
        return {sold for up in upstreams if up.name == provider for sold in up.models}
