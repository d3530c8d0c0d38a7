"""Setting limits and budgets of a customer's keys, applications and labels."""

from __future__ import annotations

from typing import Any, Final

from backend_client.types.accounts import ApiKeyChange, ApplicationChange
from backend_client.types.limits import KeyBudget, LabelBudgetChange, ModelLimits, RateLimits
from portal.features.customer.forms import label_budget_from
from portal.features.customer.keys.state import KeysTab
from portal.session.guard import Caller, NextEvents, signed_in
from portal.shared.bounds.forms import (
    BoundsEdit,
    bounds_edit,
    bounds_from_form,
    budget_from_form,
)

_Bounds = tuple[RateLimits, list[ModelLimits], KeyBudget | None]
DIALOGS: Final = {"key": "key-bounds", "Application": "application-bounds", "Label": "label-bounds"}
"""The dialog of each kind of owner."""


class BoundsOfCustomer(KeysTab):
    """``edited`` is what the fields of the dialog start with."""

    edited: BoundsEdit = BoundsEdit()

    @signed_in(operator=True)
    async def open_bounds(self, caller: Caller, kind: str, owner_id: str) -> None:
        """Ask for the limits and the budget of a key or an application, or a label's budget."""
        names = {("key", row.id): row.name for row in self.keys if row.works}
        names |= {(row.kind, row.id): row.name for row in self.bounds}
        if (kind, owner_id) not in names:
            return
        present = await self._present(caller, kind, owner_id)
        self._open(DIALOGS[kind], owner_id, names[kind, owner_id])
        self.edited = bounds_edit(*present)

    async def _present(self, caller: Caller, kind: str, owner_id: str) -> _Bounds:
        client, tenant = caller.client, self._wanted
        if kind == "key":
            key = await client.keys.get(owner_id, tenant=tenant)
            return key.limits, list(key.model_limits), key.budget
        if kind == "Label":
            use = await client.label_budgets.use(owner_id, tenant=tenant)
            return RateLimits(), [], use.budget
        for each in await client.applications.list(tenant=tenant).all():
            if each.id == owner_id:
                return each.limits, list(each.model_limits), each.budget
        return RateLimits(), [], None

    @signed_in(operator=True)
    async def set_bounds(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
        """Give the key, the application or the label's value of the dialog other bounds."""
        client, tenant, owner_id = caller.client, self._wanted, self.about_id

        async def act() -> str:
            if self.dialog == "key-bounds":
                of_key = ApiKeyChange(**bounds_from_form(form))
                await client.keys.update(owner_id, of_key, tenant=tenant)
            elif self.dialog == "application-bounds":
                change = ApplicationChange(**bounds_from_form(form))
                await client.applications.update(owner_id, change, tenant=tenant)
            else:
                of_label = LabelBudgetChange(budget=budget_from_form(form))
                await client.label_budgets.update(owner_id, of_label, tenant=tenant)
            return f"Saved what bounds {self.about}."

        return await self._try(act, KeysTab.load) if self.dialog in DIALOGS.values() else None

    @signed_in(operator=True)
    async def open_label_budget(self, caller: Caller) -> None:
        """Ask for a label's value to give a budget."""
        self._open("label-budget")
        self.edited = BoundsEdit()

    @signed_in(operator=True)
    async def create_label_budget(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
        """Give a label's value a budget."""

        async def act() -> str:
            wanted = label_budget_from(form)
            created = await caller.client.label_budgets.create(wanted, tenant=self._wanted)
            return f"{created.label} = {created.value} has a budget now."

        return await self._try(act, KeysTab.load)

    @signed_in(operator=True)
    async def remove_label_budget(self, caller: Caller, budget_id: str) -> NextEvents:
        """Remove the budget of a label's value: its calls go on without."""

        async def act() -> str:
            await caller.client.label_budgets.delete(budget_id, tenant=self._wanted)
            return "The budget is removed."

        return await self._try(act, KeysTab.load)
