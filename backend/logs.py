"""Structured logs: a line an event, as JSON or for a person's eyes."""

from __future__ import annotations

import logging
import sys

import structlog

from backend.settings import Settings
from edge.log_bounds import FloodGate, indented, on_one_line


def configure_logs(settings: Settings) -> None:
    """Log to standard error, everything through structlog's one chain."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,  # first: what is not written is not worked out
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                bounded,
                last,
            ],
        )
    )
    handler.addFilter(FloodGate())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # its lines hold whole URLs


def bounded(
    _logger: object, _method: str, entry: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Bound each value of an entry, so that no request writes a megabyte, or a line of its own."""
    for name, value in entry.items():
        if name == "exception":
            entry[name] = indented(str(value))
        elif isinstance(value, str):
            entry[name] = on_one_line(value)
        elif not isinstance(value, int | float | None):
            entry[name] = on_one_line(repr(value))
    return entry
