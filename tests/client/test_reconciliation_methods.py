"""The clients' methods for token counts, drift, providers' exports and margin."""

from __future__ import annotations

import json

import pytest

from backend_client.errors import InvalidInput
from backend_client.types.reconciliation import (
    DiscrepancyChange,
    DiscrepancyStatus,
    ReconciliationOptions,
)
from backend_client.types.tokens import TokenCountRequest
from tests.client.conftest import Caller
from tests.metering.reconciliation.exports import openai_usage

pytestmark = pytest.mark.engine


async def test_tokens_and_drift(client: Caller, url: str, token: str, operator_key: str) -> None:
    counted = await client(url, token)(
        "count_tokens", TokenCountRequest(model="sample-small", text="hello world")
    )
    assert (counted.tokens, counted.exact) == (2, True)
    report = await client(url, operator_key)("drift", models=["sample-small"])
    assert (report.rows, report.models) == ([], [])


async def test_an_export_is_imported_and_explained(
    client: Caller, url: str, operator_key: str
) -> None:
    operator = client(url, operator_key)
    options = ReconciliationOptions(provider="openai")
    content = json.dumps(openai_usage({})).encode()
    made = await operator("import_export", content, options, "usage.json")
    assert (await operator("import_export", content, options)).id == made.id
    assert [one.id for one in await operator("reconciliations")] == [made.id]
    assert (await operator("reconciliation", made.id)).open == 4
    found = await operator("discrepancies", made.id, [DiscrepancyStatus.OPEN])
    change = DiscrepancyChange(status=DiscrepancyStatus.ACCEPTED, note="A test of ours.")
    changed = await operator("change_discrepancy", made.id, found[0].id, change)
    assert changed.notes[0].text == "A test of ours."
    assert (await operator("match_again", made.id)).accepted == 1
    csv = await operator("discrepancies_csv", made.id, [DiscrepancyStatus.ACCEPTED])
    assert len(csv.splitlines()) == 2
    with pytest.raises(InvalidInput) as refused:
        await operator("import_export", b"{", options)
    assert refused.value.errors[0].field == "line 1"
    assert (await operator("margin")).cost_currency == "USD"
