"""The usage of a range as a file."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime

import pyarrow
from pyarrow import csv, parquet
from starlette.requests import Request

from backend_client.types.usage import UsageDimension
from portal.features.usage.question import UsageQuestion, from_query, usage_question
from portal.session.downloads import Download, download
from portal.session.guard import Caller

PARQUET = "application/vnd.apache.parquet"
EVERY_DIMENSION = tuple(UsageDimension)
CUSTOMER_DIMENSIONS = tuple(
    dimension for dimension in UsageDimension if dimension is not UsageDimension.UPSTREAM
)


async def usage_csv(caller: Caller, request: Request) -> Download:
    """The usage that is shown, by every dimension that the person may see, as CSV."""
    question = _question(caller, request)
    return Download(await _text(caller, question), _name(caller, question, "csv"))


async def usage_parquet(caller: Caller, request: Request) -> Download:
    """The same as Parquet, with exact quantities."""
    question = _question(caller, request)
    file = as_parquet(await _text(caller, question))
    return Download(file, _name(caller, question, "parquet"), PARQUET)


def as_parquet(text: str) -> bytes:
    """Usage in Parquet, from its CSV; quantities are decimals, of twelve places."""
    kinds = {"quantity": pyarrow.decimal128(38, 12), "event_count": pyarrow.int64()}
    read = csv.read_csv(
        io.BytesIO(text.encode()),
        convert_options=csv.ConvertOptions(column_types=kinds, strings_can_be_null=True),
    )
    file = io.BytesIO()
    parquet.write_table(read, file, compression="zstd")
    return file.getvalue()


def _question(caller: Caller, request: Request) -> UsageQuestion:
    choice = from_query(request.query_params)
    return usage_question(
        choice.range,
        choice.width,
        "",
        now=datetime.now(UTC),
        time_zone=caller.me.tenant.time_zone,
        filters=choice.filters,
    )


async def _text(caller: Caller, question: UsageQuestion) -> str:
    dimensions = EVERY_DIMENSION if caller.me.is_operator else CUSTOMER_DIMENSIONS
    return await caller.client.usage.csv(**replace(question, group_by=dimensions).query)


def _name(caller: Caller, question: UsageQuestion, ending: str) -> str:
    return f"usage-{caller.me.tenant.slug}-{question.start:%Y%m%d}.{ending}"


DOWNLOADS = (
    download("/downloads/usage.csv", usage_csv),
    download("/downloads/usage.parquet", usage_parquet),
)
