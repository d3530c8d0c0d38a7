"""Which model of the catalog a provider's name denotes."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from backend.settings import Upstream

_SNAPSHOT = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8}|latest)$")


class ModelNames:
    """Resolves a provider's names: as mapped, by FAREBOX_UPSTREAMS, the catalog, or the version."""

    def __init__(
        self, mapped: Mapping[str, str], upstreams: Sequence[Upstream], catalog: Collection[str]
    ) -> None:
        self._mapped = mapped
        self._catalog = frozenset(catalog)
        self._own = {own: sold for up in reversed(upstreams) for sold, own in up.models.items()}
        self._sold = {sold: own for own, sold in self._own.items()}
        self._seen: dict[str, str] = {}

    def model_of(self, name: str) -> str:
        """Return the catalog's model, or the name itself if none has it."""
        model = self._mapped.get(name) or self._own.get(name)
        shorter = _SNAPSHOT.sub("", name)
        if model is None and name not in self._catalog and shorter != name:
            model = self._mapped.get(shorter) or self._own.get(shorter)
            model = model or (shorter if shorter in self._catalog else None)
        model = model or name
        self._seen.setdefault(model, name)
        return model

    def own_name(self, model: str) -> str:
        """Return the provider's name for a model of the catalog that has its list price."""
        return self._seen.get(model) or self._sold.get(model) or model

    def served_by(self, provider: str, upstreams: Sequence[Upstream]) -> set[str]:
        """Return the models that the upstream with the provider's name serves, if there is one."""
        return {sold for up in upstreams if up.name == provider for sold in up.models}
