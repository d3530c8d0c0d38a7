"""What is shown of a range as a file: usage, cost or calls, by every dimension."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

import pyarrow
from pyarrow import csv as arrow_csv
from pyarrow import parquet
from starlette.requests import Request

from backend_client.types.calls import CallDimension, CallsRow
from backend_client.types.common import plain
from backend_client.types.cost import CostDimension, CostReport
from backend_client.types.usage import UsageDimension
from portal.features.usage.choices import OPERATOR_SPLITS, UsageChoice, from_query
from portal.features.usage.measured import PERCENTILES
from portal.features.usage.question import UsageQuestion, usage_question
from portal.session.downloads import Download, download
from portal.session.guard import Caller

PARQUET = "application/vnd.apache.parquet"
EVERY_DIMENSION = tuple(UsageDimension)
CUSTOMER_DIMENSIONS = tuple(
    dimension for dimension in UsageDimension if dimension is not UsageDimension.UPSTREAM
)
_DECIMALS = pyarrow.decimal128(38, 12)
_KINDS = {
    **dict.fromkeys(("quantity", "amount"), _DECIMALS),
    **dict.fromkeys(("event_count", "calls"), pyarrow.int64()),
}


async def usage_csv(caller: Caller, request: Request) -> Download:
    """What is shown, by every dimension that the person may see, as CSV."""
    choice, question = _asked(caller, request)
    return Download(await _text(caller, choice, question), _name(caller, choice, question, "csv"))


async def usage_parquet(caller: Caller, request: Request) -> Download:
    """The same as Parquet, with exact quantities."""
    choice, question = _asked(caller, request)
    file = as_parquet(await _text(caller, choice, question))
    return Download(file, _name(caller, choice, question, "parquet"), PARQUET)


def as_parquet(text: str) -> bytes:
    """A file in Parquet, from its CSV; quantities and amounts are decimals, of twelve places."""
    names = text.partition("\n")[0].strip().split(",")
    kinds = {name: kind for name, kind in _KINDS.items() if name in names}
    read = arrow_csv.read_csv(
        io.BytesIO(text.encode()),
        convert_options=arrow_csv.ConvertOptions(column_types=kinds, strings_can_be_null=True),
    )
    file = io.BytesIO()
    parquet.write_table(read, file, compression="zstd")
    return file.getvalue()


def calls_csv(rows: Iterable[CallsRow]) -> str:
    """Calls as CSV, times in seconds."""
    columns = [f"{name}_{share}" for name in ("seconds", "first_token") for share in PERCENTILES]
    head = [*_HEAD[:-1], "status", "cause", "calls", *columns]
    return _written(
        head,
        (
            [
                row.start.isoformat(),
                *(_cell(value) for value in (row.application, row.key, row.model)),
                row.status or "",
                row.cause or "",
                row.calls,
                *(
                    "" if times is None else getattr(times, share)
                    for times in (row.seconds, row.first_token_seconds)
                    for share in PERCENTILES
                ),
            ]
            for row in rows
        ),
    )


def cost_csv(report: CostReport) -> str:
    """What usage cost as CSV, to twelve places."""
    return _written(
        [*_HEAD, "amount", "currency"],
        (
            [
                row.start.isoformat(),
                *(_cell(value) for value in (row.application, row.key, row.model)),
                row.meter or "",
                plain(round(row.amount, 12)),
                report.currency,
            ]
            for row in report.rows
        ),
    )


_HEAD = ("start", "application", "key", "model", "meter")


def _written(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(head)
    writer.writerows(rows)
    return out.getvalue()


def _cell(text: str | None) -> str:
    """Keep a spreadsheet from taking a name for a formula."""
    text = text or ""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _asked(caller: Caller, request: Request) -> tuple[UsageChoice, UsageQuestion]:
    time_zone = caller.me.tenant.time_zone
    choice = from_query(request.query_params, OPERATOR_SPLITS, time_zone)
    return choice, usage_question(choice, now=datetime.now(UTC), time_zone=time_zone)


async def _text(caller: Caller, choice: UsageChoice, question: UsageQuestion) -> str:
    if choice.of_calls:
        every = replace(question, group_by=tuple(dimension.value for dimension in CallDimension))
        return calls_csv((await caller.client.usage.calls(**every.calls)).rows)
    if choice.show == "cost":
        every = replace(question, group_by=tuple(dimension.value for dimension in CostDimension))
        return cost_csv(await caller.client.usage.cost(**every.cost))
    dimensions = EVERY_DIMENSION if caller.me.is_operator else CUSTOMER_DIMENSIONS
    every = replace(question, group_by=tuple(dimension.value for dimension in dimensions))
    return await caller.client.usage.csv(**every.usage)


def _name(caller: Caller, choice: UsageChoice, question: UsageQuestion, ending: str) -> str:
    what = "calls" if choice.of_calls else "cost" if choice.show == "cost" else "usage"
    return f"{what}-{caller.me.tenant.slug}-{question.start:%Y%m%d}.{ending}"


DOWNLOADS = (
    download("/downloads/usage.csv", usage_csv),
    download("/downloads/usage.parquet", usage_parquet),
)
