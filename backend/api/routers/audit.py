"""The audit: a tenant's own, and all of it for the operator."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse

from backend.accounts.audit.export import audit_csv, audit_lines
from backend.accounts.audit.queries import AuditQuestion, every_entry, list_audit
from backend.accounts.principal import Permission, Principal
from backend.api.dependencies import PageCursor, PageLimit, ServicesNow, needs
from backend.api.example_values import TAIL
from backend.api.parameters import SinceInstant, UntilInstant
from backend.storage.database import Database
from backend_client.types.audit import ActorKind, AuditEntry
from backend_client.types.common import Page

router = APIRouter(tags=["audit"])

Reader = Annotated[Principal, Depends(needs(Permission.AUDIT_READ))]
Admin = Annotated[Principal, Depends(needs(Permission.OPERATE_ADMIN))]
FileFormat = Annotated[
    Literal["csv", "jsonl"],
    Query(alias="format", description="`csv`, or `jsonl`: a line of JSON for each entry."),
]
_FILE: dict[int | str, dict[str, object]] = {
    200: {"content": {"text/csv": {}, "application/jsonl": {}}}
}


async def _question(
    actor: Annotated[
        str | None,
        Query(
            max_length=200,
            description="Only acts of this person or key, by id (`usr_…`, `key_…`). All if left "
            "out.",
            examples=[f"usr_{TAIL}"],
        ),
    ] = None,
    actor_kind: Annotated[
        ActorKind | None,
        Query(
            description="Only acts of people, of keys, of the operator, or of somebody who could "
            "not sign in. All if left out."
        ),
    ] = None,
    action: Annotated[
        str | None,
        Query(
            max_length=100,
            description="Only this action, such as `key.create`, or all on its noun, such as "
            "`key`. All if left out.",
            examples=["key.create"],
        ),
    ] = None,
    target: Annotated[
        str | None,
        Query(
            max_length=500,
            description="Only what was done to this: an id, or a name where a thing has no id. "
            "All if left out.",
            examples=[f"key_{TAIL}"],
        ),
    ] = None,
    start: SinceInstant = None,
    end: UntilInstant = None,
) -> AuditQuestion:
    return AuditQuestion(actor, actor_kind, action, target, None, start, end)


async def _operators_question(
    question: Annotated[AuditQuestion, Depends(_question)],
    tenant: Annotated[
        str | None,
        Query(
            max_length=200,
            description="Only what concerns this customer, by its id (`ten_…`). All if left out.",
            examples=[f"ten_{TAIL}"],
        ),
    ] = None,
) -> AuditQuestion:
    return replace(question, tenant=tenant)


Question = Annotated[AuditQuestion, Depends(_question)]
OperatorsQuestion = Annotated[AuditQuestion, Depends(_operators_question)]


@router.get("/v1/audit")
async def get_audit(
    services: ServicesNow,
    caller: Reader,
    question: Question,
    cursor: PageCursor = None,
    limit: PageLimit = 50,
) -> Page[AuditEntry]:
    """List the tenant's audit entries, newest first. Entries are never changed."""
    async with services.database.begin() as connection:
        return await list_audit(connection, caller.tenant_id, question, cursor=cursor, limit=limit)


@router.get("/v1/audit/export", response_class=StreamingResponse, responses=_FILE)
async def get_audit_file(
    services: ServicesNow, caller: Reader, question: Question, file_format: FileFormat = "csv"
) -> StreamingResponse:
    """Return all entries that the filters let through as a file, newest first."""
    return _file(services.database, caller.tenant_id, question, file_format)


@router.get("/v1/operator-audit")
async def get_operator_audit(
    services: ServicesNow,
    caller: Admin,
    question: OperatorsQuestion,
    cursor: PageCursor = None,
    limit: PageLimit = 50,
) -> Page[AuditEntry]:
    """List the audit entries of all tenants, and those of none: the operator's own acts."""
    async with services.database.begin() as connection:
        return await list_audit(connection, None, question, cursor=cursor, limit=limit)


@router.get("/v1/operator-audit/export", response_class=StreamingResponse, responses=_FILE)
async def get_operator_audit_file(
    services: ServicesNow,
    caller: Admin,
    question: OperatorsQuestion,
    file_format: FileFormat = "csv",
) -> StreamingResponse:
    """Return all entries that the filters let through as a file, newest first."""
    return _file(services.database, None, question, file_format)


def _file(
    database: Database, tenant_id: str | None, question: AuditQuestion, file_format: str
) -> StreamingResponse:
    async def content() -> AsyncIterator[str]:
        head = True
        async for entries in every_entry(database, tenant_id, question):
            yield audit_csv(entries, head=head) if file_format == "csv" else audit_lines(entries)
            head = False

    return StreamingResponse(
        content(),
        media_type="text/csv" if file_format == "csv" else "application/jsonl",
        headers={"content-disposition": f'attachment; filename="audit.{file_format}"'},
    )
