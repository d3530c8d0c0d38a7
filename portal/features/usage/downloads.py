"""What is shown of a range as a file: usage, cost or calls, by every dimension."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum

import pyarrow
from pyarrow import csv as arrow_csv
from pyarrow import parquet
from starlette.requests import Request

from backend_client.types.calls import CallDimension, CallsRow
from backend_client.types.common import plain
from backend_client.types.cost import CostDimension, CostReport
from backend_client.types.usage import UsageDimension
from portal.features.usage.choices import LABEL, OPERATOR_SPLITS, UsageChoice, from_query, label_of
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
_NAMES = frozenset({"application", "key", "model", "meter", "upstream", "status", "cause"})
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
    names = next(csv.reader(io.StringIO(text)))
    # A name stays a text, also where all names of a column are empty or look like numbers
    kinds = {
        name: _KINDS.get(name, pyarrow.string())
        for name in names
        if name in _KINDS or name in _NAMES or label_of(name)
    }
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


def cost_csv(report: CostReport, labels: Sequence[str] = ()) -> str:
    """What usage cost as CSV, to twelve places, with a column for each of the ``labels``."""
    return _written(
        [*_HEAD, "amount", "currency", *(_cell(LABEL + label) for label in labels)],
        (
            [
                row.start.isoformat(),
                *(_cell(value) for value in (row.application, row.key, row.model)),
                row.meter or "",
                plain(round(row.amount, 12)),
                report.currency,
                *(_cell(row.labels.get(label)) for label in labels),
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
        every = divided(question, CallDimension)
        return calls_csv((await caller.client.usage.calls(**every.calls)).rows)
    if choice.show == "cost":
        labels = [declared.label for declared in await caller.client.labels.list().all()]
        every = divided(question, CostDimension, labels)
        return cost_csv(await caller.client.usage.cost(**every.cost), labels)
    dimensions = EVERY_DIMENSION if caller.me.is_operator else CUSTOMER_DIMENSIONS
    # Not by every label: what is a highest or a last value is left out where labels divide it
    labels = [label for split in question.group_by if (label := label_of(split))]
    every = divided(question, dimensions, labels)
    return await caller.client.usage.csv(**every.usage)


def divided(
    question: UsageQuestion, dimensions: Iterable[StrEnum], labels: Iterable[str] = ()
) -> UsageQuestion:
    """The question by all of these."""
    names = (dimension.value for dimension in dimensions)
    return replace(question, group_by=(*names, *(LABEL + label for label in labels)))


def _name(caller: Caller, choice: UsageChoice, question: UsageQuestion, ending: str) -> str:
    what = "calls" if choice.of_calls else "cost" if choice.show == "cost" else "usage"
    return f"{what}-{caller.me.tenant.slug}-{question.start:%Y%m%d}.{ending}"


DOWNLOADS = (
    download("/downloads/usage.csv", usage_csv),
    download("/downloads/usage.parquet", usage_parquet),
)
