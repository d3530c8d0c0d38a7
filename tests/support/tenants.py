"""Tenants for tests of metering, with the credentials that act for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from backend.accounts.applications import list_applications
from backend.accounts.keys.keys import create_key
from backend.accounts.members.members import add_member, upsert_user
from backend.accounts.principal import ROLE_PERMISSIONS, Principal
from backend.accounts.sessions.sessions import begin_session
from backend.accounts.tenants import create_tenant
from backend.storage.database import Database
from backend_client.types.accounts import ApiKeyCreate, Role, Scope, TenantCreate

Headers = dict[str, str]


@dataclass(frozen=True)
class SampleTenant:
    """A tenant, its first application, and an API key of it with every scope."""

    id: str
    slug: str
    application: str
    headers: Headers

    def event(self, event_id: str, **changes: Any) -> dict[str, Any]:
        """A usage event of this tenant, as it is sent; ``data__x`` changes a member of its data."""
        data: dict[str, Any] = {
            "application": self.application,
            "model": "model-a",
            "quantities": {"requests": 1},
        }
        whole: dict[str, Any] = {
            "specversion": "1.0",
            "id": event_id,
            "source": "test",
            "type": "ai.usage",
            "subject": self.id,
            "time": datetime.now(UTC).isoformat(),
            "data": data,
        }
        for name, value in changes.items():
            outer, _, inner = name.partition("__")
            if inner:
                data[inner] = value
            else:
                whole[outer] = value
        return {name: value for name, value in whole.items() if value is not None}


async def sample_tenant(
    database: Database, slug: str = "sample", time_zone: str = "UTC"
) -> SampleTenant:
    """Make one."""
    async with database.begin() as connection:
        wanted = TenantCreate(slug=slug, name=f"Sample {slug}", time_zone=time_zone)
        tenant = await create_tenant(connection, wanted)
        page = await list_applications(connection, tenant.id, cursor=None, limit=1)
        application = page.items[0].id
        maker = Principal(
            kind="operator",
            id="key_test",
            tenant_id=tenant.id,
            permissions=ROLE_PERMISSIONS[Role.OWNER],
            role=Role.OWNER,
        )
        key = await create_key(
            connection,
            maker,
            ApiKeyCreate(name="all", application_id=application, scopes=list(Scope)),
        )
    return SampleTenant(tenant.id, slug, application, {"authorization": f"Bearer {key.secret}"})


async def people_of(database: Database, *tenants: Mapping[str, Role]) -> dict[str, str]:
    """Make a tenant for each mapping, with people by name and role; return sessions by name."""
    tokens = {}
    for number, people in enumerate(tenants):
        tenant = await sample_tenant(database, f"tenant-{number}")
        async with database.begin() as connection:
            for name, role in people.items():
                user = await upsert_user(
                    connection, issuer="test", subject=name, name=name, email=None
                )
                await add_member(connection, tenant.id, user, role)
                session = await begin_session(connection, user, tenant.id, seconds=600)
                tokens[name] = session.token
    return tokens
