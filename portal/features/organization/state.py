"""The organization's settings."""

from __future__ import annotations

from typing import Any

from backend_client import ClientError
from backend_client.types.accounts import OwnTenantChange, Tenant
from portal.kit.facts import FactRow
from portal.kit.form_problems import FormProblems, checked, problems_by_field, text_of
from portal.kit.formatting import date
from portal.session.guard import (
    MANAGERS,
    Caller,
    NextEvents,
    callers,
    may_change,
    session_token,
    signed_in,
)
from portal.session.page import PageState
from portal.session.state import Session
from portal.shell.toasts import toast

_NO_PROBLEMS = {"name": "", "form": ""}


def facts_of(tenant: Tenant) -> list[FactRow]:
    """What is known of an organization beside its name."""
    return [
        FactRow("Id", tenant.id),
        FactRow("Slug", tenant.slug),
        FactRow("Time zone", tenant.time_zone),
        FactRow("Currency", tenant.currency),
        FactRow("Since", date(tenant.created_at, tenant.time_zone)),
    ]


def by_field(paths: list[tuple[str, str]]) -> dict[str, str]:
    """The form's fields for problems that name them by path."""
    return {
        "name" if path == "name" else "form": (
            "Give it a name of up to 200 letters." if path == "name" else detail
        )
        for path, detail in paths
    }


class Organization(PageState, Session):
    """The organization page; ``saved`` grows with each change, so that its form starts anew."""

    called: str = ""
    facts: list[FactRow] = []
    manages: bool = False
    saved: int = 0
    problems: dict[str, str] = _NO_PROBLEMS

    @signed_in()
    async def load(self, caller: Caller) -> None:
        """Show what is so now."""
        self.manages, self.problems = may_change(caller.me, MANAGERS), _NO_PROBLEMS
        self._show(caller.me.tenant)
        self._ready()

    @signed_in(roles=MANAGERS)
    async def save(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
        """Give the organization another name."""
        try:
            wanted = checked(OwnTenantChange, {"name": text_of(form, "name")}, {}, by_field)
            tenant = await caller.client.me.update_tenant(wanted)
        except (FormProblems, ClientError) as problem:
            self.problems = {**_NO_PROBLEMS, **problems_by_field(problem, by_field)}
            return None
        self.problems = _NO_PROBLEMS
        callers.forget(session_token(self))
        self._show(tenant)
        self.tenant = tenant.name
        return toast(f"It is called {tenant.name} now.")

    def _show(self, tenant: Tenant) -> None:
        self.called, self.facts = tenant.name, facts_of(tenant)
        self.saved += 1
