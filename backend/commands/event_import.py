"""Send a file of events to the API, batch by batch, and keep a journal of the progress."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from backend.errors import CommandError
from backend.metering.errors import UnreadableEventFile
from backend.metering.files.event_files import EventFile
from backend.metering.files.flat_rows import FileRow
from backend.metering.files.place import Place
from backend_client import AsyncFareboxClient, ClientError
from backend_client.errors import TooLarge
from backend_client.types.events import UsageEvent

BATCH: Final = 2_000
_SHOWN: Final = 10


@dataclass(slots=True)
class ImportCount:
    """Rows so far: ``received = accepted + duplicates + rejected``.

    ``line`` is the last one's last line, ``offset`` where the next begins in the unpacked text;
    None if that is unknown, or in Parquet.
    """

    received: int = 0
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    line: int = 0
    offset: int | None = 0

    @property
    def place(self) -> Place:
        """Where the next row begins."""
        return Place(self.line + 1, self.offset)


class EventImport:
    """The import of one file.

    What was acknowledged is recorded under the file's content and ``scope``, so that a second run
    continues after it, without reading what is before. If that record is lost, events' identities
    still keep them from counting twice. ``scope`` is what else identifies the import: where it
    goes, and for whom.
    """

    def __init__(self, path: Path, journals: Path, refused: Path, scope: Sequence[str]) -> None:
        self._path = path
        self._journals = journals
        self._refused = refused
        self._scope = scope
        self._first_refusals: list[str] = []
        self._resumed_after = 0
        self._stopped: Place | None = None
        self.count = ImportCount()

    async def run(
        self,
        client: AsyncFareboxClient,
        file: EventFile,
        progress: Callable[[], None],
        *,
        again: bool = False,
        from_line: int | None = None,
    ) -> None:
        """Send what was not sent yet; ``progress`` is called after each batch.

        ``again`` sends all of it, ``from_line`` what begins there, whatever was sent before.

        Raises:
            UnreadableEventFile: the file can't be read (further). The rows before are sent.
            CommandError: the API stopped accepting events; run it again later.
        """
        journal = self._journals / f"{_digest(self._path, self._scope)}.json"
        if again:
            journal.unlink(missing_ok=True)
        if from_line is not None:
            self.count = ImportCount(line=from_line - 1, offset=None)
        elif journal.exists():
            self.count = ImportCount(**json.loads(journal.read_text()))
            self._resumed_after = self.count.line
        else:
            self._refused.unlink(missing_ok=True)
        try:
            for batch in _batches(file.rows(self.count.place)):
                await self._send(client, batch)
                self.count.line, self.count.offset = file.place.line - 1, file.place.offset
                _replace(journal, json.dumps(asdict(self.count)))
                progress()
        except UnreadableEventFile:
            self._stopped = file.place
            raise
        except ClientError as error:
            raise CommandError(
                f"The API stopped accepting events after line {self.count.line:,} ({error}). Run "
                "the command again: it continues there."
            ) from error

    def summary(self) -> list[str]:
        """Return the outcome in sentences."""
        lines = list(self._first_refusals)
        if self.count.rejected:
            more = self.count.rejected - len(self._first_refusals)
            lines.append(f"{f'... and {more:,} more. ' if more else ''}All are in {self._refused}")
        if self._resumed_after:
            lines.append(f"Continued after line {self._resumed_after:,}, which was sent before.")
        count = self.count
        lines.append(
            f"{count.received:,} events read: {count.accepted:,} new, {count.duplicates:,} "
            f"counted before, {count.rejected:,} refused."
        )
        if self._stopped is not None and count.received:
            line = self._stopped.line
            lines.append(
                f"All before {self._stopped} was sent. When the file is put right, send the rest "
                f"with --from-line {line}; or leave this line out with --from-line {line + 1}."
            )
        return lines

    async def _send(self, client: AsyncFareboxClient, batch: list[FileRow]) -> None:
        rows: list[tuple[int, UsageEvent]] = []
        refused: list[FileRow] = []
        for row in batch:
            if row.event is None:
                refused.append(row)
            elif row.event.time is None:
                # Without a time ingest takes the present, and last year's file would be billed now
                detail = "events of a file must have a time"
                refused.append(FileRow(row.line, None, row.id, "time", detail))
            else:
                rows.append((row.line, row.event))
        if rows:
            refused += await self._send_events(client, rows)
        self._write_refused(sorted(refused, key=lambda row: row.line))
        self.count.received += len(batch)
        self.count.rejected += len(refused)

    async def _send_events(
        self, client: AsyncFareboxClient, rows: list[tuple[int, UsageEvent]]
    ) -> list[FileRow]:
        try:
            verdict = await client.events.send([event for _, event in rows])
        except TooLarge:
            if len(rows) == 1:
                raise
            half = len(rows) // 2
            first = await self._send_events(client, rows[:half])
            return first + await self._send_events(client, rows[half:])
        self.count.accepted += verdict.accepted
        self.count.duplicates += verdict.duplicates
        return [
            FileRow(rows[error.index][0], None, error.id, error.field, error.detail)
            for error in verdict.errors
        ]

    def _write_refused(self, refused: list[FileRow]) -> None:
        if not refused:
            return
        with self._refused.open("a", encoding="utf-8") as file:
            for row in refused:
                rejection = {
                    "line": row.line,
                    "id": row.id,
                    "field": row.field,
                    "detail": row.detail,
                }
                file.write(json.dumps(rejection, ensure_ascii=False) + "\n")
        for row in refused[: _SHOWN - len(self._first_refusals)]:
            field = f"{row.field}: " if row.field else ""
            self._first_refusals.append(f"line {row.line:,}: {field}{row.detail}")


def _batches(rows: Iterator[FileRow]) -> Iterator[list[FileRow]]:
    """Yield rows some at a time: also those before one at which reading ends with an error."""
    batch: list[FileRow] = []
    unreadable: UnreadableEventFile | None = None
    try:
        for row in rows:
            batch.append(row)
            if len(batch) == BATCH:
                yield batch
                batch = []
    except UnreadableEventFile as error:
        unreadable = error
    if batch:
        yield batch
    if unreadable is not None:
        raise unreadable


def _digest(path: Path, scope: Sequence[str]) -> str:
    try:
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        return hashlib.sha256(json.dumps([content, *scope]).encode()).hexdigest()
    except OSError as error:
        raise CommandError(f"{path} can't be read: {error.strerror or error}.") from error


def _replace(path: Path, text: str) -> None:
    """Replace a file atomically."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)
