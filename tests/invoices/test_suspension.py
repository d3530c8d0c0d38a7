"""The last step of dunning: no calls until the invoice is paid."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import insert

from backend.accounts.principal import Permission, Principal
from backend.customers.errors import PaymentOverdue
from backend.gateway.admission import Admission
from backend.ids import new_id
from backend.invoices.payments.reminders import remind
from backend.invoices.settling import write_off
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import applications
from backend_client.types.accounts import Role, Tenant
from tests.support.invoices import APRIL, GRACE, invoices_of, run_invoices

pytestmark = pytest.mark.engine


async def test_calls_are_suspended_and_let_through_again(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    application = new_id("app")
    async with database.begin() as connection:
        await connection.execute(
            insert(applications).values(tenant_id=tenant.id, id=application, name="Default")
        )
    caller = Principal(
        kind="key",
        id="key_1",
        tenant_id=tenant.id,
        permissions=frozenset({Permission.INFERENCE}),
        role=Role.DEVELOPER,
        application_id=application,
    )
    await run_invoices(database, settings, APRIL + GRACE)
    [invoice] = await invoices_of(database, tenant)
    async with database.begin() as connection:
        await remind(connection, settings, invoice["due_at"] + timedelta(days=20))
    admitted = await Admission(database).admit(caller, "large")
    assert admitted.tenant == tenant
    async with database.begin() as connection:
        await remind(connection, settings, invoice["due_at"] + timedelta(days=21))
    with pytest.raises(PaymentOverdue) as refused:
        await Admission(database).admit(caller, "large")
    assert refused.value.status == 402
    async with database.begin() as connection:
        await write_off(connection, tenant.id, str(invoice["id"]), invoice["due_at"])
    assert await Admission(database).admit(caller, "large") == admitted
