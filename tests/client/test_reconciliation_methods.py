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
from tests.client.conftest import Maker
from tests.metering.reconciliation.exports import openai_usage

pytestmark = pytest.mark.engine


async def test_tokens_and_drift(client: Maker, url: str, token: str, operator_key: str) -> None:
    counted = await client(url, token).tokens.count(
        TokenCountRequest(model="sample-small", text="hello world")
    )
    assert (counted.tokens, counted.exact) == (2, True)
    report = await client(url, operator_key).drift.report(model=["sample-small"])
    assert (report.rows, report.models) == ([], [])


async def test_an_export_is_imported_and_explained(
    client: Maker, url: str, operator_key: str
) -> None:
    operator = client(url, operator_key)
    options = ReconciliationOptions(provider="openai")
    content = json.dumps(openai_usage({})).encode()
    reconciliation = await operator.reconciliations.create(content, options, name="usage.json")
    assert (await operator.reconciliations.create(content, options)).id == reconciliation.id
    assert [item.id for item in await operator.reconciliations.list().all()] == [reconciliation.id]
    assert (await operator.reconciliations.get(reconciliation.id)).open == 4
    discrepancies = operator.reconciliations.discrepancies
    open_discrepancies = await discrepancies.list(
        reconciliation.id, status=[DiscrepancyStatus.OPEN], limit=2
    ).first(3)
    assert len(open_discrepancies) == 3
    change = DiscrepancyChange(status=DiscrepancyStatus.ACCEPTED, note="A test of ours.")
    changed = await operator.reconciliations.discrepancies.update(
        reconciliation.id, open_discrepancies[0].id, change
    )
    assert changed.notes[0].text == "A test of ours."
    assert (await operator.reconciliations.rematch(reconciliation.id)).accepted == 1
    csv = await operator.reconciliations.discrepancies.csv(
        reconciliation.id, status=[DiscrepancyStatus.ACCEPTED]
    )
    assert len(csv.splitlines()) == 2
    with pytest.raises(InvalidInput) as refused:
        await operator.reconciliations.create(b"{", options)
    assert refused.value.errors[0].field == "line 1"
    assert (await operator.margin.report()).cost_currency == "USD"
    await operator.reconciliations.remove(reconciliation.id)
    assert await operator.reconciliations.list().all() == []
