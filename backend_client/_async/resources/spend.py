"""What usage costs: so far, from here on, on other plans, and what is earned by it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from backend_client._async.resources.resource import AsyncResource
from backend_client.calls import get, once_computed, path, send, send_for_bytes
from backend_client.queries import query
from backend_client.types.reconciliation import MarginReport
from backend_client.types.simulate import PublicModels, Simulation, SimulationRequest
from backend_client.types.spend import BudgetOutlook, Forecast, SpendReport


class AsyncSpendResource(AsyncResource):
    """What the running billing period has cost."""

    async def report(self) -> SpendReport:
        """Get what the billing period has cost so far, by line."""
        return await self._sender.send(get(path("spend"), SpendReport))


class AsyncForecastResource(AsyncResource):
    """Where spend is heading. The answer is None while it is computed: ask again."""

    async def get(self) -> Forecast | None:
        """Get the forecast of this period's and the next ones' spend."""
        return await self._sender.send(once_computed(get(path("forecast"), Forecast)))

    async def budget(self, amount: Decimal) -> BudgetOutlook | None:
        """Say whether spend passes ``amount``, and when."""
        call = get(path("forecast", "budget"), BudgetOutlook, query(amount=amount))
        return await self._sender.send(once_computed(call))


class AsyncSimulationsResource(AsyncResource):
    """What usage would cost on other plans."""

    async def run(self, simulation: SimulationRequest, *, tenant: str | None = None) -> Simulation:
        """Rate usage on each plan; another ``tenant``'s, for the operator."""
        at = path("simulate", tenant=tenant)
        return await self._sender.send(send("POST", at, simulation, Simulation, repeatable=True))

    async def pdf(self, simulation: SimulationRequest) -> bytes:
        """Get the same comparison as a PDF."""
        call = send_for_bytes("POST", path("simulate", suffix=".pdf"), simulation)
        return await self._sender.send(call)

    async def public_models(self) -> PublicModels:
        """Get the models on sale by their names; no credential, where the seller has it so."""
        return await self._sender.send(get(path("public", "models"), PublicModels))

    async def run_publicly(self, simulation: SimulationRequest) -> Simulation:
        """Rate a workload on each plan that anybody may choose; no credential."""
        call = send("POST", path("public", "simulate"), simulation, Simulation, repeatable=True)
        return await self._sender.send(call)

    async def public_pdf(self, simulation: SimulationRequest) -> bytes:
        """Get the same comparison as a PDF."""
        at = path("public", "simulate", suffix=".pdf")
        return await self._sender.send(send_for_bytes("POST", at, simulation))


class AsyncMarginResource(AsyncResource):
    """What is earned by each tenant and model; for the operator."""

    async def report(
        self, *, at: datetime | None = None, limit: int | None = None, cursor: str | None = None
    ) -> MarginReport:
        """Get what each tenant's use of each model brought and cost, a page of tenants.

        ``at`` is within the billing periods to look at; now if it is None.
        """
        params = query(at=at, limit=limit, cursor=cursor)
        return await self._sender.send(get(path("margin"), MarginReport, params))
