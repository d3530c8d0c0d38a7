"""A customer's tab that is loaded while the operator goes on to another customer."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from portal.features.customer.billing.state import BillingTab
from portal.features.customer.credit.state import CreditTab
from portal.features.customer.keys.state import KeysTab
from portal.features.customer.people.state import PeopleTab
from portal.features.customer.plan.state import PlanTab
from portal.features.customer.state import CustomerPage
from portal.features.customer.webhooks.state import WebhooksTab
from portal.session import guard

pytestmark = pytest.mark.fast


class Tab:
    """What a handler needs of its tab; keeps what is written to it."""

    _is_about_another = CustomerPage._is_about_another

    def __init__(self) -> None:
        self.router = SimpleNamespace(session=SimpleNamespace(client_ip=""))
        self.customer = SimpleNamespace(time_zone="UTC", currency="USD")
        self._wanted = "first"
        self.begun = True

    def __setattr__(self, name: str, value: object) -> None:
        assert not hasattr(self, "begun") or name == "_wanted", f"{name} is another customer's"
        super().__setattr__(name, value)

    async def __aenter__(self) -> Tab:
        return self

    async def __aexit__(self, *error: object) -> None:
        """Leave it."""

    async def _belong_to(self, me: object, *, entering: bool) -> bool:
        return False


class LateClient:
    """A client whose every answer, empty, comes when the operator has gone on."""

    def __init__(self, tab: Tab) -> None:
        self._tab = tab

    def __getattr__(self, name: str) -> LateClient:
        return self

    def __call__(self, *arguments: object, **options: object) -> LateClient:
        return self

    def __await__(self) -> Generator[None, None, LateClient]:
        self._tab._wanted = "second"
        yield from ()
        return self

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __getitem__(self, part: slice) -> list[Any]:
        return []


@pytest.mark.parametrize("state", [BillingTab, CreditTab, KeysTab, PeopleTab, PlanTab, WebhooksTab])
async def test_a_tab_shows_nothing_of_the_customer_before(
    state: type[CustomerPage], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a form would have one customer's details and write them to the other."""
    tab = Tab()
    caller = SimpleNamespace(me=SimpleNamespace(is_operator=True), client=LateClient(tab))

    async def find(token: str) -> SimpleNamespace:
        return SimpleNamespace(at=lambda address: caller)

    monkeypatch.setattr(guard, "callers", SimpleNamespace(find=find))
    monkeypatch.setattr(guard, "session_token", lambda state: "a token")
    async for _ in state.event_handlers["load"].fn(tab):
        pass
    assert tab._wanted == "second"
