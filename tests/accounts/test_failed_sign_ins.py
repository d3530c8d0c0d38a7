"""Refused sign-ins are in the audit, as many as somebody can read."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from backend.accounts.errors import InvalidIdentityToken
from backend.accounts.sessions.failed_sign_ins import FailedSignIns
from backend.storage.database import Database
from backend.storage.tables import audit_entries

pytestmark = pytest.mark.engine


async def test_strangers_fill_no_table_and_what_is_left_out_is_counted(database: Database) -> None:
    now = 0.0
    failed = FailedSignIns(database, clock=lambda: now)

    async def refuse() -> None:
        with pytest.raises(InvalidIdentityToken):
            async with failed.watched("oidc"):
                raise InvalidIdentityToken()

    for _ in range(30):
        await refuse()
    now = 61.0
    await refuse()
    async with database.begin() as connection:
        rows = await connection.execute(select(audit_entries).order_by(audit_entries.c.id))
        entries = rows.all()
    assert len(entries) == 21
    assert {(entry.actor_kind, entry.action, entry.tenant_id) for entry in entries} == {
        ("anonymous", "session.refuse", "")
    }
    left_out = [entry.detail["unrecorded"] for entry in entries]
    assert left_out == [0] * 20 + [10]
