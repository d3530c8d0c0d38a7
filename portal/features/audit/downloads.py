"""The audit as a file, with the filters of the page."""

from __future__ import annotations

from functools import partial
from typing import Literal

from starlette.requests import Request

from portal.features.audit.question import AuditQuestion, audit_filter
from portal.kit.form_problems import FormProblems
from portal.session.downloads import CSV, Download, NothingToDownload, begun, download
from portal.session.guard import Caller
from portal.shared.filters.question import question_of

_TYPES = {"csv": CSV, "jsonl": "application/jsonl"}


async def audit_file(
    file_format: Literal["csv", "jsonl"], caller: Caller, request: Request
) -> Download:
    """All entries that match the filters, sent on as they come."""
    question = question_of(AuditQuestion, request.query_params)
    try:
        wanted = audit_filter(question, caller.me.tenant.time_zone)
    except FormProblems as problem:
        raise NothingToDownload(str(problem), status=400) from None
    if request.query_params.get("everybody"):
        parts = caller.client.audit.export_all(
            tenant=question.tenant or None, file_format=file_format, **wanted
        )
    else:
        parts = caller.client.audit.export(file_format=file_format, **wanted)
    return Download(await begun(parts), f"audit.{file_format}", _TYPES[file_format])


DOWNLOADS = (
    download("/downloads/audit.csv", partial(audit_file, "csv")),
    download("/downloads/audit.jsonl", partial(audit_file, "jsonl")),
)
