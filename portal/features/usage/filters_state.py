"""What is chosen on the usage page: of which time, what is measured, of what, divided by what."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, replace
from datetime import datetime
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import reflex as rx

from portal.features.usage.choices import (
    LABEL,
    MOST_LETTERS,
    OF_CALLS,
    OF_STATUS,
    OPERATOR_SPLITS,
    SHOWN,
    SPLITS,
    STATUSES,
    WIDTH_NAMES,
    Splits,
    UsageChoice,
    WrongTimes,
    has_labels,
    moments,
    settled,
    split_name,
    to_query,
    widths_of,
)
from portal.features.usage.question import usage_question
from portal.kit.choice import Choice
from portal.kit.formatting import TOKEN_METERS, meter_name
from portal.kit.vars import computed
from portal.session.guard import Caller

ANY = "any"
"""No filter: a list can't have an empty value."""
_LISTS = frozenset({"application", "key", "model", "meter", "status", "zone", "then"})


class UsageFilters(rx.State, mixin=True):
    """The choice, field by field, as the controls have it."""

    chosen: str = "day"
    width: str = "hour"
    show: str = "tokens"
    split: str = "meter"
    then: str = ANY
    since: str = ""
    until: str = ""
    zone: str = ANY
    application: str = ANY
    key: str = ANY
    model: str = ANY
    meter: str = ANY
    status: str = ANY
    label: str = ""
    label_problem: str = ""
    times_problem: str = ""
    cleared: int = 0
    applications: list[Choice] = []
    keys: list[Choice] = []
    models: list[Choice] = []
    declared: list[str] = []
    own_zone: str = "UTC"

    _operator: bool = False
    _offers_labels: bool = False
    _zones: tuple[str, ...] = ()
    """Those that are offered, once loaded: the scripts of every page have what is so before."""

    @computed
    def widths(self) -> list[Choice]:
        """The bucket widths that the chosen time can be cut into."""
        widths = widths_of(self._choice(), self.own_zone)
        return [Choice(width.value, WIDTH_NAMES[width]) for width in widths]

    @computed
    def query(self) -> str:
        """What is chosen, as the query of an address; without what is as usual."""
        return urlencode(to_query(self._choice(), self.own_zone))

    @computed
    def filtered(self) -> bool:
        """Whether anything is left out."""
        return bool(self._choice().filters)

    @computed
    def splits(self) -> list[Choice]:
        """What the measure can be divided by."""
        return [Choice(key, split_name(key)) for key in self._possible_splits()]

    @computed
    def further_splits(self) -> list[Choice]:
        """What each part can be divided by again."""
        if self.split == "percentile":
            return []
        names = [key for key in self._possible_splits() if key not in {self.split, "percentile"}]
        return [Choice(key, "Then b" + split_name(key)[1:]) for key in names]

    @computed
    def zones(self) -> list[Choice]:
        """The zones that are offered; the one that an address names is among them."""
        others = [self.zone] if self.zone not in {ANY, *self._zones} else []
        names = [name for name in (*self._zones, *others) if name != self.own_zone]
        return [Choice(ANY, f"{self.own_zone} (yours)"), *(Choice(name, name) for name in names)]

    @computed
    def takes_labels(self) -> bool:
        """Whether what is shown can be filtered by a label, once one is declared."""
        return has_labels(self._choice())

    @computed
    def takes_status(self) -> bool:
        """Whether what is shown can be filtered by how calls ended, once it is known of it."""
        return self.show in OF_STATUS

    @computed
    def has_status(self) -> bool:
        """Whether how calls ended is known of what is shown."""
        return self.show == "requests" or "status" in self.declared

    @computed
    def filters_note(self) -> str:
        """Which filters are off for what is shown, and why."""
        if self._choice().of_calls:
            return (
                "How calls went is not counted by label: their tokens and cost are, "
                "and each call stands in Requests."
            )
        if not self.declared:
            return "Usage can be filtered by labels once the seller has declared them."
        if self.show != "requests" and "status" not in self.declared:
            return f"{SHOWN[self.show]} can be filtered by status once it is a declared label."
        return ""

    @computed
    def of_events(self) -> bool:
        """Whether what is shown is of events, and not what is measured of calls."""
        return self.show not in OF_CALLS

    def _choice(self) -> UsageChoice:
        lists = {name: "" if getattr(self, name) == ANY else getattr(self, name) for name in _LISTS}
        return UsageChoice(
            range=self.chosen,
            width=self.width,
            show=self.show,
            split=self.split,
            since=self.since,
            until=self.until,
            label=self.label,
            **lists,
        )

    def _choose(self, choice: UsageChoice) -> None:
        """Take a choice over, as far as its parts go together."""
        choice = settled(choice, self._splits(), self.own_zone)
        for name, value in asdict(choice).items():
            field = "chosen" if name == "range" else name
            setattr(self, field, (value or ANY) if name in _LISTS else value)
        self.times_problem = ""

    def _splits(self) -> Splits:
        return OPERATOR_SPLITS if self._operator else SPLITS

    def _possible_splits(self) -> tuple[str, ...]:
        choice = self._choice()
        labels = [LABEL + name for name in self.declared] if has_labels(choice) else []
        return (*(SPLITS if choice.of_calls else self._splits())[choice.show], *labels)

    def _change(self, field: str, value: str) -> None:
        """Change one part of the choice by what a control sent, which may be anything."""
        value = "" if value == ANY else value[:MOST_LETTERS]
        if (field == "show" and value not in SHOWN) or (
            field == "status" and value not in {"", *STATUSES}
        ):
            return
        choice = replace(self._choice(), **{field: value})
        # Until the labels are there, nobody can say that it is none
        undeclared = self._offers_labels and "status" not in self.declared
        if field == "show" and value != "requests" and undeclared:
            choice = replace(choice, status="")
        self._choose(choice)

    def _choose_range(self, chosen: str, now: datetime) -> None:
        """Choose how far back, with that range's usual width; two times begin with those shown."""
        choice = self._choice()
        if chosen == "between" and choice.range != "between":
            zone = ZoneInfo(choice.zone or self.own_zone)
            question = usage_question(choice, now=now, time_zone=self.own_zone)
            since, until = (
                f"{moment.astimezone(zone):%Y-%m-%dT%H:%M}"
                for moment in (question.start, question.end)
            )
            choice = replace(choice, since=since, until=until)
        self._choose(replace(choice, range=chosen, width=""))
        self.cleared += 1

    def _choose_times(self, since: str, until: str) -> None:
        choice = replace(
            self._choice(),
            range="between",
            since=since[:MOST_LETTERS],
            until=until[:MOST_LETTERS],
            width="",
        )
        try:
            moments(choice, self.own_zone)
        except WrongTimes as wrong:
            self.times_problem = str(wrong)
        else:
            self._choose(choice)

    async def _offer(self, caller: Caller) -> None:
        applications, keys, models, labels = await asyncio.gather(
            caller.client.applications.list().all(),
            caller.client.keys.list().all(),
            caller.client.models.list().all(),
            caller.client.labels.list().all(),
        )
        async with self:
            self.applications = [Choice(each.id, each.name) for each in applications]
            self.keys = [Choice(key.id, f"{key.name} (…{key.last_four})") for key in keys]
            self.models = [Choice(model.id, model.name) for model in models]
            self.declared = [declared.label for declared in labels]
            self._offers_labels = True


METERS = [Choice(meter, meter_name(meter)) for meter in (*TOKEN_METERS, "images")]
