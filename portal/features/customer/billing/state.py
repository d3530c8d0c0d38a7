"""How the customer is named and taxed on its invoices."""

from __future__ import annotations

from typing import Any

from backend_client.types.taxes import TaxIdCheck, TaxIdOutcome
from portal.features.customer.state import LOADS, CustomerPage
from portal.kit.color import Color
from portal.kit.facts import FactRow
from portal.kit.formatting import second
from portal.session.guard import Caller, NextEvents, signed_in
from portal.shared.billing.details import FormValues, as_written, details_from

_OUTCOMES: dict[TaxIdOutcome, tuple[str, Color]] = {
    TaxIdOutcome.VALID: ("Valid", "green"),
    TaxIdOutcome.INVALID: ("Not valid", "red"),
    TaxIdOutcome.UNAVAILABLE: ("No answer yet", "orange"),
    TaxIdOutcome.UNCHECKED: ("Not asked", "gray"),
}


def check_facts(check: TaxIdCheck, time_zone: str) -> list[FactRow]:
    """What the register of VAT ids says of a customer's, a line each; nothing without an id."""
    if check.tax_id is None:
        return []
    facts = {
        "VAT id": check.tax_id,
        "In the register": ", ".join((check.name or "", check.address or "")).strip(", \n"),
        "Answered": "" if check.answered_at is None else second(check.answered_at, time_zone),
        "Consultation": check.consultation or "",
        "Asked": "" if check.asked_at is None else second(check.asked_at, time_zone),
        "Problem": check.problem or "",
    }
    return [FactRow(name, value) for name, value in facts.items() if value]


class BillingTab(CustomerPage):
    """``values`` is what the form begins with; ``check`` what VIES says of the VAT id."""

    values: FormValues = FormValues()
    check: list[FactRow] = []
    outcome: str = ""
    outcome_color: Color = "gray"

    @signed_in(operator=True, background=True)
    async def load(self, caller: Caller) -> None:
        """Load the details."""
        tenant = self._wanted
        details = await caller.client.billing_details.get(tenant=tenant)
        check = await caller.client.billing_details.tax_id_check(tenant=tenant)
        async with self:
            if self._is_about_another(tenant):
                return
            self.values = as_written(details)
            self._show_check(check)
            self._show("billing")

    @signed_in(operator=True)
    async def save(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
        """Keep what the form says, for the invoices to come."""

        async def act() -> str:
            details = details_from(form)
            await caller.client.billing_details.update(details, tenant=self._wanted)
            return "Billing details saved. New invoices carry them."

        return await self._try(act, BillingTab.load)

    @signed_in(operator=True)
    async def look_up(self, caller: Caller) -> NextEvents:
        """Ask VIES about the VAT id now."""

        async def act() -> str:
            check = await caller.client.billing_details.look_up_tax_id(tenant=self._wanted)
            return f"VIES was asked: {_OUTCOMES[check.outcome][0].lower()}."

        return await self._try(act, BillingTab.load)

    def _show_check(self, check: TaxIdCheck) -> None:
        self.check = check_facts(check, self.customer.time_zone)
        self.outcome, self.outcome_color = _OUTCOMES[check.outcome]


LOADS["billing"] = BillingTab.load
