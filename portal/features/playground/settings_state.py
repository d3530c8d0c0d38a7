"""What the next call is made with: models, parameters, and what is wrong with them."""

from __future__ import annotations

from backend_client.types.models import ModelInfo
from portal.features.playground.calls.parameters import Parameters, changed, problems
from portal.features.playground.conversation.transcript import MOST_MODELS
from portal.features.playground.kept_state import Conversation
from portal.features.playground.rows import Column, FieldProblems, ModelChoice, about
from portal.kit.vars import computed
from portal.session.guard import Caller, signed_in


class SettingsState(Conversation, mixin=True):
    """``chosen`` are the models that are asked, beside one another.

    ``version`` counts what sets the parameters but for their own fields, which are made anew then.
    """

    models: list[ModelChoice] = []
    chosen: list[str] = []
    parameters: Parameters = Parameters()
    wrong: FieldProblems = FieldProblems()
    version: int = 0

    _catalog: dict[str, ModelInfo] = {}

    @computed
    def columns(self) -> list[Column]:
        """The models that are asked."""
        abouts = {model.id: model.about for model in self.models}
        return [Column(place, id_, abouts.get(id_, "")) for place, id_ in enumerate(self.chosen)]

    @computed
    def more(self) -> list[ModelChoice]:
        """The models that can be put beside those that are asked."""
        if len(self.chosen) >= MOST_MODELS:
            return []
        return [model for model in self.models if model.id not in self.chosen]

    @computed
    def longest(self) -> int:
        """The longest answer that any model that is asked gives, in tokens."""
        return max([model.longest for model in self.models if model.id in self.chosen] or [1024])

    @computed
    def wrongs(self) -> int:
        """How many parameters can't be sent."""
        wrong = self.wrong
        return sum(bool(part) for part in (wrong.seed, wrong.stop, wrong.tools, wrong.schema))

    @signed_in()
    async def choose_model(self, caller: Caller, place: int, model: str) -> None:
        """Ask another model in place of one."""
        if model in self._catalog and 0 <= place < len(self.chosen) and model not in self.chosen:
            self._choose([*self.chosen[:place], model, *self.chosen[place + 1 :]])

    @signed_in()
    async def add_model(self, caller: Caller, model: str) -> None:
        """Ask one more model beside the others."""
        if model in {choice.id for choice in self.more}:
            self._choose([*self.chosen, model])

    @signed_in()
    async def remove_model(self, caller: Caller, model: str) -> None:
        """Ask a model no longer; the last one stays."""
        if len(self.chosen) > 1:
            self._choose([other for other in self.chosen if other != model])

    @signed_in()
    async def change(self, caller: Caller, field: str, value: str | float | list[str]) -> None:
        """Change a parameter, and say at once if it can't be sent."""
        self.parameters = changed(self.parameters, field, value, longest=self.longest)
        self._parameters = self.parameters
        self._check()

    def _check(self) -> bool:
        """Say what can't be sent; tell whether all can."""
        wrong = problems(self.parameters)
        self.wrong = FieldProblems(**wrong)
        return not wrong

    def _choose(self, chosen: list[str]) -> None:
        """Ask these models; an answer gets no longer than they give."""
        self.chosen = self._chosen = chosen[:MOST_MODELS]
        longest = self.longest
        if self.parameters.max_tokens > longest:
            shorter = changed(self.parameters, "max_tokens", longest, longest=longest)
            self._set_parameters(shorter)

    def _set_parameters(self, parameters: Parameters) -> None:
        """Take parameters that come from elsewhere than their fields."""
        self.parameters = self._parameters = parameters
        self.version += 1
        self._check()

    def _set_models(self, models: list[ModelInfo], wanted: list[str]) -> None:
        """Offer the models there are, and ask those of ``wanted`` that are among them.

        Else those that were asked before, or the first.
        """
        self._catalog = {model.id: model for model in models}
        self.models = [
            ModelChoice(model.id, model.name, about(model), model.max_output_tokens)
            for model in models
        ]
        for ids in (wanted, self._chosen, list(self._catalog)[:1]):
            if chosen := [id_ for id_ in dict.fromkeys(ids) if id_ in self._catalog]:
                self._choose(chosen)
                return
        self._choose([])
