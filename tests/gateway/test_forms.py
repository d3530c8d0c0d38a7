"""Forms are read as they were written, and never fail but in words."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.gateway.errors import InvalidRequest
from backend.gateway.protocols.parts.forms import File, read_form, write_form
from backend.gateway.protocols.subtitles import srt, vtt

pytestmark = pytest.mark.fast

names = st.text(st.characters(codec="ascii", exclude_characters='\x00\r\n"\\%'), min_size=1)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)


@given(st.dictionaries(names, st.lists(texts, min_size=1, max_size=3), max_size=4), st.binary())
def test_what_is_written_is_read(fields: dict[str, list[str]], content: bytes) -> None:
    file = File("file", "a.mp3", "audio/mpeg", content)
    assert read_form(*write_form(fields, [file])) == (fields, [file])


@given(st.binary(max_size=300), st.sampled_from([b"", b"--b\r\n", b"--b\r\ncontent-disposition: "]))
def test_no_form_is_too_odd(rest: bytes, start: bytes) -> None:
    with suppress(InvalidRequest):
        read_form(start + rest, "multipart/form-data; boundary=b")


def test_a_form_of_too_many_parts_is_refused() -> None:
    body, kind = write_form({"a": ["x"] * 300}, [])
    with pytest.raises(InvalidRequest, match="more than 200 parts"):
        read_form(body, kind)


def test_subtitles_skip_what_is_no_segment() -> None:
    segments = [{"start": 3661.25, "end": 3662, "text": " a -->\nb "}, {"start": "1"}, 5]
    assert srt(segments) == "1\n01:01:01,250 --> 01:01:02,000\na -> b\n\n"
    assert vtt(segments) == "WEBVTT\n\n01:01:01.250 --> 01:01:02.000\na -> b\n\n"
