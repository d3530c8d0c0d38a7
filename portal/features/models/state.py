"""The catalog: what is searched, and which models are compared."""

from __future__ import annotations

from urllib.parse import urlencode

from portal import routes
from portal.kit.vars import computed
from portal.session.guard import Caller, signed_in
from portal.session.page import PageState
from portal.session.state import Session
from portal.shared.models.performance import models_measured
from portal.shared.models.rows import ModelRow, model_row

MOST_COMPARED = 4
_LONGEST_SEARCH = 100


class Models(PageState, Session):
    """``picked`` are the models to compare, ``comparing`` whether they are shown side by side.

    ``cleared`` counts how often the search was emptied by a button.
    """

    search: str = ""
    cleared: int = 0
    picked: list[str] = []
    comparing: bool = False
    models: list[ModelRow] = []

    @computed
    def query(self) -> str:
        """What is searched or compared, as the query of an address."""
        view = {"search": self.search, "compare": ",".join(self.picked) if self.comparing else ""}
        return urlencode({name: value for name, value in view.items() if value}, safe=",")

    @computed
    def shown(self) -> list[ModelRow]:
        """The models with the searched text in their name, id or description."""
        text = self.search.lower()
        return [
            model
            for model in self.models
            if text in f"{model.id} {model.name} {model.description}".lower()
        ]

    @computed
    def compared(self) -> list[ModelRow]:
        """The models side by side, in the order in which they were picked."""
        by_id = {model.id: model for model in self.models}
        return [by_id[picked] for picked in self.picked if picked in by_id]

    @computed
    def is_full(self) -> bool:
        """Whether no further model can be picked."""
        return len(self.picked) >= MOST_COMPARED

    @computed
    def can_compare(self) -> bool:
        """Whether enough models are picked."""
        return len(self.picked) >= 2

    @computed
    def playground(self) -> str:
        """Where the compared models are asked the same; empty if none of them answers."""
        usable = [model.id for model in self.compared if model.usable]
        return routes.playground(*usable) if usable else ""

    @signed_in(background=True)
    async def load(self, caller: Caller) -> None:
        """Load the models, and show what the address asks for."""
        rows = [model_row(*measured) for measured in await models_measured(caller)]
        async with self:
            view = self.router.url.query_parameters
            self.models = rows
            self.search = view.get("search", "").strip()[:_LONGEST_SEARCH]
            known_ids = {row.id for row in rows}
            wanted = dict.fromkeys(view.get("compare", "").split(","))
            self.picked = [name for name in wanted if name in known_ids][:MOST_COMPARED]
            self.comparing = len(self.picked) >= 2
            self._ready()

    @signed_in()
    async def find(self, caller: Caller, text: str) -> None:
        """Show the models with a text in their name, id or description."""
        self.search = text.strip()[:_LONGEST_SEARCH]

    @signed_in()
    async def clear(self, caller: Caller) -> None:
        """Show all models."""
        self.search = ""
        self.cleared += 1

    @signed_in()
    async def pick(self, caller: Caller, model: str, wanted: bool) -> None:
        """Take a model into the comparison, or out of it."""
        others = [picked for picked in self.picked if picked != model]
        is_there = any(row.id == model for row in self.models)
        room = is_there and len(others) < MOST_COMPARED
        self.picked = [*others, model] if wanted and room else others
        self.comparing = self.comparing and len(self.picked) >= 2

    @signed_in()
    async def compare(self, caller: Caller, side_by_side: bool) -> None:
        """Show the picked models side by side, or the list again."""
        self.comparing = side_by_side and len(self.picked) >= 2
