"""The usage of a range as a file."""

from __future__ import annotations

from datetime import UTC, datetime

from starlette.requests import Request

from backend_client.types.usage import UsageDimension
from portal.features.usage.question import usage_question
from portal.session.downloads import Download, download
from portal.session.guard import Caller

EVERY_DIMENSION = tuple(UsageDimension)


async def usage_csv(caller: Caller, request: Request) -> Download:
    """The usage of a range, by every dimension, as CSV."""
    query = request.query_params
    question = usage_question(
        query.get("range", ""),
        query.get("width", ""),
        "",
        now=datetime.now(UTC),
        time_zone=caller.me.tenant.time_zone,
    )
    text = await caller.client.usage.csv(
        start=question.start,
        end=question.end,
        granularity=question.granularity,
        group_by=EVERY_DIMENSION,
    )
    return Download(text, f"usage-{caller.me.tenant.slug}-{question.start:%Y%m%d}.csv")


DOWNLOADS = (download("/downloads/usage.csv", usage_csv),)
