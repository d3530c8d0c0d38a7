"""Who operates this installation: by a group at the identity provider, or by a grant.

``users.is_operator`` is what somebody's latest sign-in said: that the ID token's claim had the
operators' group, or that they sit at this machine. A grant is beside that and is kept until it is
revoked; it names an address that the provider has verified, or a subject. Both are looked at on
every request, so that a revoked grant ends what a session may do within a second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, exists, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.audit.writing import record
from backend.accounts.errors import OperatorGrantNotFound
from backend.accounts.principal import Principal
from backend.ids import new_id
from backend.storage.tables import operator_grants, users


@dataclass(frozen=True, slots=True)
class PersonNamed:
    """Somebody by their verified address, or by what an issuer calls them."""

    email: str | None = None
    issuer: str | None = None
    subject: str | None = None

    @property
    def name(self) -> str:
        """The address or the subject."""
        return self.email or self.subject or ""


@dataclass(frozen=True, slots=True)
class Operator:
    """Who is or was an operator. ``how`` is ``grant``, or ``sign-in`` for what that said."""

    person: str
    how: str
    since: datetime
    revoked_at: datetime | None = None


def in_group(claims: Mapping[str, object], claim: str, group: str) -> bool:
    """Tell whether a claim of an ID token has ``group``: as a member of a list, or as its value.

    A claim within others is named by its path, as in ``realm_access.roles``, unless there is one of
    that very name. A claim that is true has the group ``true``.
    """
    value: object = claims.get(claim)
    if value is None:
        value = claims
        for name in claim.split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
    values = value if isinstance(value, list) else [value]
    return any(group == (str(item).lower() if isinstance(item, bool) else item) for item in values)


def operates() -> ColumnElement[bool]:
    """Say of a row of ``users`` whether it is an operator's."""
    named = or_(
        and_(
            operator_grants.c.issuer == users.c.issuer,
            operator_grants.c.subject == users.c.subject,
        ),
        and_(
            users.c.email_verified,
            func.lower(operator_grants.c.email) == func.lower(users.c.email),
        ),
    )
    granted = exists().where(operator_grants.c.revoked_at.is_(None), named)
    return or_(users.c.is_operator, granted)


async def is_operator(connection: AsyncConnection, user_id: str) -> bool:
    """Return whether a person is an operator now."""
    return bool(await connection.scalar(select(operates()).where(users.c.id == user_id)))


async def grant_operator(
    connection: AsyncConnection, caller: Principal, person: PersonNamed
) -> None:
    """Make somebody an operator, whether or not they have signed in yet; may be repeated."""
    if await connection.scalar(_active(person)) is None:
        await connection.execute(
            insert(operator_grants).values(
                id=new_id("opg"), email=person.email, issuer=person.issuer, subject=person.subject
            )
        )
        await record(connection, caller, "operator.grant", person.name)


async def revoke_operator(
    connection: AsyncConnection, caller: Principal, person: PersonNamed
) -> None:
    """Revoke somebody's grant. Raises ``NotFound`` if there is none in force."""
    revoked = await connection.execute(
        update(operator_grants)
        .where(operator_grants.c.id.in_(_active(person)))
        .values(revoked_at=func.now())
    )
    if revoked.rowcount == 0:
        raise OperatorGrantNotFound(
            f"There is no grant for {person.name!r}. Whoever is an operator by a group at the "
            "identity provider is taken out of it there."
        )
    await record(connection, caller, "operator.revoke", person.name)


async def list_operators(connection: AsyncConnection) -> list[Operator]:
    """Return who is or was an operator: grants, oldest first, then those by their sign-in."""
    grants = await connection.execute(select(operator_grants).order_by(operator_grants.c.id))
    people = await connection.execute(
        select(users).where(users.c.is_operator).order_by(users.c.created_at)
    )
    return [
        *(
            Operator(row.email or row.subject, "grant", row.created_at, row.revoked_at)
            for row in grants
        ),
        *(Operator(row.email or row.subject, "sign-in", row.created_at) for row in people),
    ]


def _active(person: PersonNamed) -> Select[tuple[str]]:
    query = select(operator_grants.c.id).where(operator_grants.c.revoked_at.is_(None))
    if person.email is not None:
        return query.where(func.lower(operator_grants.c.email) == person.email.lower())
    return query.where(
        operator_grants.c.issuer == person.issuer, operator_grants.c.subject == person.subject
    )
