"""The discrepancies of an import as a file."""

from __future__ import annotations

from starlette.requests import Request

from portal.session.downloads import Download, download
from portal.session.guard import Caller


async def reconciliation_csv(caller: Caller, request: Request) -> Download:
    """All discrepancies of an import, as CSV; for the operator."""
    text = await caller.client.reconciliations.discrepancies.csv(
        request.path_params["reconciliation"]
    )
    return Download(text, "discrepancies.csv")


DOWNLOADS = (download("/downloads/reconciliations/{reconciliation}.csv", reconciliation_csv),)
