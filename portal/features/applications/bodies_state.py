"""Whether the log keeps what an application's calls asked and answered; an admin's to decide."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backend_client import ClientError
from backend_client.types.requests import BodyLogging
from portal.kit.form_problems import FormProblems, checked, problems_by_field, text_of
from portal.session.guard import MANAGERS, Caller, NextEvents, may_change, signed_in
from portal.session.page import LOADING, PageState
from portal.session.state import Session
from portal.shell.toasts import toast

FIELDS = ("days", "form")
_NO_PROBLEMS = dict.fromkeys(FIELDS, "")


class Bodies(PageState, Session):
    """The dialog of one application. ``kept`` and what follows is how it is now; ``on`` what the
    form's switch says, and ``decides`` whether the person may change it."""

    opened: bool = False
    application: str = ""
    kept: bool = False
    days: str = "7"
    redacted: bool = True
    on: bool = False
    decides: bool = False
    problems: dict[str, str] = _NO_PROBLEMS
    _application_id: str = ""

    def _fail(self, why: str) -> None:
        """Say why in the dialog while it is open, for it covers the page."""
        if self.opened and self.phase != LOADING:
            self.problems = {**_NO_PROBLEMS, "form": why}
        else:
            super()._fail(why)

    @signed_in()
    async def arrive(self, caller: Caller) -> None:
        """Begin without what was open when the page was left."""
        self.opened = False

    @signed_in(background=True)
    async def open_bodies(self, caller: Caller, application_id: str, name: str) -> None:
        """Open the dialog, and load how it is."""
        async with self:
            self.opened, self.phase, self.problem = True, LOADING, ""
            self.application, self._application_id = name[:100], application_id
            self.problems = _NO_PROBLEMS
        await self._load(caller, application_id)

    @signed_in(background=True)
    async def load_again(self, caller: Caller) -> None:
        """Load how it is once more."""
        async with self:
            self.phase, application_id = LOADING, self._application_id
        await self._load(caller, application_id)

    async def _load(self, caller: Caller, application_id: str) -> None:
        setting = await caller.client.requests.body_logging(application_id)
        async with self:
            if application_id == self._application_id:
                self.kept = self.on = setting.enabled
                self.days, self.redacted = str(setting.days), setting.redacted
                self.decides = may_change(caller.me, MANAGERS)
                self._ready()

    @signed_in(roles=MANAGERS)
    async def switch(self, caller: Caller, on: bool) -> None:
        """Show what else is to be decided, or what is removed."""
        self.on = on

    @signed_in()
    async def close(self, caller: Caller) -> None:
        """Leave everything as it is."""
        self.opened = False

    @signed_in(roles=MANAGERS)
    async def save(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
        """Keep bodies from now on, or no longer."""
        try:
            setting = body_logging_from(form, enabled=self.on)
            await caller.client.requests.set_body_logging(self._application_id, setting)
        except (FormProblems, ClientError) as problem:
            self.problems = {**_NO_PROBLEMS, **problems_by_field(problem, by_field)}
            return None
        self.opened = False
        if setting.enabled:
            return toast(f"Bodies of {self.application} are kept for {setting.days} days.")
        return toast(f"Bodies of {self.application} are not kept, and those kept are removed.")


def body_logging_from(form: Mapping[str, Any], *, enabled: bool) -> BodyLogging:
    """What the form asks to keep; raises ``FormProblems``."""
    if not enabled:
        return BodyLogging(enabled=False)
    values = {
        "enabled": True,
        "days": text_of(form, "days"),
        "redacted": bool(form.get("redacted")),
    }
    return checked(BodyLogging, values, {}, by_field)


def by_field(paths: list[tuple[str, str]]) -> dict[str, str]:
    """The form's fields for problems that name them by path."""
    problems: dict[str, str] = {}
    for path, detail in paths:
        if path == "days":
            problems["days"] = "A whole number from 1 to 90."
        else:
            problems.setdefault("form", detail)
    return problems
