"""Segments of a text that was spoken, as subtitles. Pure.

https://www.w3.org/TR/webvtt1/; SubRip has no standard, and is as VLC and ffmpeg read it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any


def srt(segments: Sequence[Any]) -> str:
    """Return segments as SubRip."""
    return "".join(
        f"{number}\n{_clock(start, ',')} --> {_clock(end, ',')}\n{text}\n\n"
        for number, (start, end, text) in enumerate(_cues(segments), 1)
    )


def vtt(segments: Sequence[Any]) -> str:
    """Return segments as WebVTT."""
    return "WEBVTT\n\n" + "".join(
        f"{_clock(start, '.')} --> {_clock(end, '.')}\n{text}\n\n"
        for start, end, text in _cues(segments)
    )


def _cues(segments: Sequence[Any]) -> Iterator[tuple[float, float, str]]:
    for segment in segments:
        if not isinstance(segment, dict):
            continue
        start, end, text = (segment.get(name) for name in ("start", "end", "text"))
        if isinstance(start, int | float) and isinstance(end, int | float):
            # An arrow would end the times of a cue
            yield start, end, " ".join(str(text or "").replace("-->", "->").split())


def _clock(seconds: float, point: str) -> str:
    milliseconds = max(0, round(seconds * 1000))
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    whole, milliseconds = divmod(milliseconds, 1000)
    return f"{hours:02}:{minutes:02}:{whole:02}{point}{milliseconds:03}"
