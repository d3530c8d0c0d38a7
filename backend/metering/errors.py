"""Why events can't be taken, corrected or read, and why an import of a provider's can't."""

from __future__ import annotations

from backend.errors import (
    CommandError,
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    RateLimited,
    TooLarge,
    Unavailable,
)
from backend_client.types.problems import FieldError


class IngestClosed(Forbidden):
    """The API's seller takes no events from this customer's own credentials."""

    code, title = "ingest_closed", "Events from the customer itself are switched off"

    def __init__(self) -> None:
        super().__init__("This tenant's own credentials may not send events.")


class BatchTooLarge(TooLarge):
    """The batch holds too many events: send it in parts."""

    code, title = "batch_too_large", "The batch is too large"


class QueueUnavailable(Unavailable):
    """The usage stream can't be reached or did not confirm the write: send it again."""

    code, title = "queue_unavailable", "The usage stream can't be reached"


class QueueFull(RateLimited):
    """The usage stream is full, since the worker is behind: send it again later."""

    code, title = "queue_full", "The usage stream is full"


class TooManyTails(RateLimited):
    """As many live streams of events are open here as may be."""

    code, title = "too_many_tails", "Too many tails are open here"


class DeadLetterNotFound(NotFound):
    """It was replayed or discarded, or never was."""

    code = "dead_letter_not_found"
    title = "There is no such dead letter; it was replayed, discarded, or never existed"


class DeadLetterUnreadable(InvalidInput):
    """It would only be set aside again, so it can't be replayed as it is."""

    code = "dead_letter_unreadable"
    title = "This letter can't be read; send its events in its place"


class CorrectionIdReused(Conflict):
    """A correction is known by its id, and never changes: choose another id."""

    code, title = "correction_id_reused", "The id was used for another correction"


class AmbiguousEvent(Conflict):
    """Several senders have an event of this source and id; nothing was corrected."""

    code, title = "ambiguous_event", "Several senders have such an event; name one"


class RollupsIncomplete(Conflict):
    """Rollups lack the usage that is to be taken away; the operator has to rebuild them."""

    code = "rollups_incomplete"
    title = "The rollups have less than is to be subtracted"

    def __init__(self) -> None:
        super().__init__(
            "The rollups have less than is to be subtracted. Run 'farebox usage rebuild' for this "
            "tenant, and then this again."
        )


class TooManyLabels(Conflict):
    """The tenant has declared as many labels as it may."""

    code, title = "too_many_labels", "Too many labels are declared"


class LabelNotFound(NotFound):
    """The tenant has not declared such a label."""

    code, title = "label_not_found", "There is no such declared label"


class LabelBoundsCalls(Conflict):
    """The tenant's budgets of the label's values would bound nothing: remove them first."""

    code, title = "label_bounds_calls", "The label has budgets"


class LabelNotDeclared(InvalidInput):
    """Usage can be filtered and grouped by declared labels alone, and this one is not."""

    code, title = "label_not_declared", "Usage is told apart by declared labels only"


class RangeNotOnQuarterHours(InvalidInput):
    """Usage is kept by quarter hours (UTC): ask from one to another, and it is summed exactly."""

    code, title = "range_not_on_quarter_hours", "The range does not start and end on quarter hours"


class TooManyUsageRows(InvalidInput):
    """One answer has no room for so many sums: ask for less time, or group by less."""

    code, title = "too_many_usage_rows", "The question has too many sums for one answer"


class UnreadableExport(InvalidInput):
    """A provider's export can't be read; `errors[0]` names the line and the field."""

    code, title = "unreadable_export", "The export can't be read"

    def __init__(self, where: str, detail: str) -> None:
        # Half a surrogate pair, which a file may hold, can be told but not sent
        where, detail = (
            text.encode("utf-8", "backslashreplace").decode() for text in (where, detail)
        )
        super().__init__(f"{where}: {detail}.", errors=[FieldError(field=where, detail=detail)])


class ReconciliationNotFound(NotFound):
    """No import of a provider's numbers has this id."""

    code, title = "reconciliation_not_found", "There is no such reconciliation"


class DiscrepancyNotFound(NotFound):
    """The reconciliation has no such discrepancy."""

    code, title = "discrepancy_not_found", "This reconciliation has no such discrepancy"


class DiscrepancyPageGone(NotFound):
    """The discrepancy that the cursor names is gone: begin with the first page."""

    code = "discrepancy_page_gone"
    title = "The row that the cursor continues from no longer exists"


class ImportInterrupted(Conflict):
    """Two requests imported the same file, and the first failed."""

    code = "import_interrupted"
    title = "The same import was under way and failed; send it again"


class ArchiveRefused(CommandError):
    """Events can't be archived or restored as they are now; nothing was changed."""

    code, title = "archive_refused", "The events can't be archived or restored"


class ArchiveBusy(ArchiveRefused):
    """Another process archives or restores events at this moment."""

    code = "archive_busy"
    title = "Events are being archived or restored at this moment; try again later"


class UnreadableEventFile(CommandError):
    """The file of events can't be read; ``detail`` names the line and the column."""

    code, title = "unreadable_event_file", "The file of events can't be read"
