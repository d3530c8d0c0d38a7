"""One model, which the address names."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlencode

from backend_client import Forbidden, NotFound
from backend_client.types.entitlements import Entitlements
from backend_client.types.models import ModelInfo, ModelPerformance
from portal import routes
from portal.features.model.rows import HourBar, hour_bars, limit_rows
from portal.features.model.samples import curl, javascript, python
from portal.kit.facts import FactRow
from portal.kit.formatting import count
from portal.kit.vars import computed
from portal.session.guard import Caller, signed_in
from portal.session.page import PageState
from portal.session.state import Session
from portal.settings import portal_settings
from portal.shared.models.performance import models_measured
from portal.shared.models.prices import PriceRow, price_rows
from portal.shared.models.rows import (
    error_text,
    latency_detail,
    latency_text,
    model_status,
    tokenizer_name,
)

LANGUAGES = ("curl", "Python", "JavaScript")


class ModelPage(PageState, Session):
    """A model in words. ``language`` is that of the example."""

    model: str = ""
    name: str = ""
    description: str = ""
    status: str = ""
    usable: bool = False
    facts: list[FactRow] = []
    prices: list[PriceRow] = []
    limits: list[FactRow] = []
    begins_after: str = ""
    begins_detail: str = ""
    total: str = ""
    total_detail: str = ""
    errors: str = ""
    bars: list[HourBar] = []
    language: str = LANGUAGES[0]
    playground: str = ""

    @computed
    def query(self) -> str:
        """The model and the example's language, as the query of an address."""
        view = {"model": self.model}
        if self.language != LANGUAGES[0]:
            view["language"] = self.language
        return urlencode(view)

    @computed
    def example(self) -> str:
        """A first call in the chosen language."""
        write = {"Python": python, "JavaScript": javascript}.get(self.language, curl)
        return write(portal_settings().shown_api_url, self.model)

    @computed
    def measured(self) -> str:
        """The bars for those who don't see them."""
        return "Median time by hour. " + "; ".join(bar.text for bar in self.bars)

    @signed_in(background=True)
    async def load(self, caller: Caller) -> None:
        """Load the model that the address names."""
        view = self.router.url.query_parameters
        wanted = view.get("model", "")
        models = {model.id: (model, measured) for model, measured in await models_measured(caller)}
        entitlements = await _entitlements(caller)
        async with self:
            if wanted not in models:
                self._fail(f"There is no model {wanted[:100]!r} on sale.")
                return
            if view.get("language") in LANGUAGES:
                self.language = view["language"]
            self._show(*models[wanted], entitlements, caller.me.tenant.time_zone)
            self._ready()

    @signed_in()
    async def choose_language(self, caller: Caller, language: str | list[str]) -> None:
        """Show the example in another language."""
        if isinstance(language, str) and language in LANGUAGES:
            self.language = language

    def _show(
        self,
        model: ModelInfo,
        measured: ModelPerformance | None,
        entitlements: Entitlements | None,
        time_zone: str,
    ) -> None:
        self.model, self.name, self.description = model.id, model.name, model.description
        self.status, self.usable = model_status(model), model.available and model.allowed
        self.playground = routes.playground(model.id)
        self.facts = [
            FactRow("Id", model.id),
            FactRow("Context window", f"{count(model.context_window)} tokens"),
            FactRow("Longest answer", f"{count(model.max_output_tokens)} tokens"),
            FactRow("Tokenizer", tokenizer_name(model.tokenizer)),
        ]
        self.prices = price_rows(model)
        self.limits = limit_rows(entitlements, time_zone, model.id)
        first_token, total = (measured.first_token, measured.total) if measured else (None, None)
        self.begins_after, self.total = latency_text(first_token), latency_text(total)
        self.begins_detail = latency_detail(first_token)
        self.total_detail = latency_detail(total)
        self.errors = error_text(measured)
        self.bars = hour_bars(measured, datetime.now(UTC), time_zone) if measured else []


async def _entitlements(caller: Caller) -> Entitlements | None:
    """What the plan allows; None for who may not see it, and for a tenant without a plan."""
    try:
        return await caller.client.entitlements.get()
    except (Forbidden, NotFound):
        return None
