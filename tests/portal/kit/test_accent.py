"""A seller's color as a scale: the color itself, and text that can be read, for any color."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.kit.accent import DARK, LIGHT, contrast_ratio, scale_of

pytestmark = pytest.mark.fast

colors = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")


@pytest.mark.parametrize(("dark", "indigo"), [(False, LIGHT), (True, DARK)])
def test_indigo_itself_gives_the_scale_that_the_pages_were_designed_with(
    dark: bool, indigo: tuple[str, ...]
) -> None:
    steps = scale_of("#3e63dd", dark=dark).steps
    for step, own in zip((*steps[:9], steps[11]), (*indigo[:9], indigo[11]), strict=True):
        assert contrast_ratio(step, own) < 1.06, (step, own)


@given(color=colors, dark=st.booleans())
def test_text_can_be_read_on_any_sellers_color(color: str, dark: bool) -> None:
    scale = scale_of(color, dark=dark)
    assert scale.steps[8] == color
    assert contrast_ratio(scale.contrast, scale.steps[8]) >= 4.5
    assert contrast_ratio(scale.steps[10], scale.steps[2]) >= 4.45  # as hexadecimal rounds it
    assert contrast_ratio(scale.steps[11], scale.steps[2]) >= 4.5


@given(color=colors, dark=st.booleans())
def test_a_transparent_step_is_the_step_on_the_pages_ground(color: str, dark: bool) -> None:
    scale = scale_of(color, dark=dark)
    ground = (0x11, 0x11, 0x13) if dark else (255, 255, 255)
    for step, glass in zip(scale.steps, scale.see_through, strict=True):
        opacity = int(glass[7:], 16) / 255
        for at, below in zip((1, 3, 5), ground, strict=True):
            part = int(glass[at : at + 2], 16)
            shown = part * opacity + below * (1 - opacity)
            assert abs(shown - int(step[at : at + 2], 16)) <= 1.6
