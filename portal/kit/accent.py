"""A seller's color as a scale of twelve steps, as Radix Themes' own scales are built.

Each step has the lightness of the same step of Radix's indigo, which this portal was designed with,
and the hue of the seller's color; step 9 is the color itself. What has to be read, it can: text in
step 11 has a contrast of 4.5 to 1 on step 3, by WCAG 2.2. Colors are mixed in OKLCH, in which
lightness is what people see (Björn Ottosson, "A perceptual color space for image processing").
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

Rgb = tuple[float, float, float]
"""Red, green and blue from 0 to 1, as sRGB has them."""

# fmt: off
LIGHT: Final = (
    "#fdfdfe", "#f7f9ff", "#edf2fe", "#e1e9ff", "#d2deff", "#c1d0ff",
    "#abbdf9", "#8da4ef", "#3e63dd", "#3358d4", "#3a5bc7", "#1f2d5c",
)
DARK: Final = (
    "#11131f", "#141726", "#182449", "#1d2e62", "#253974", "#304384",
    "#3a4f97", "#435db1", "#3e63dd", "#5472e4", "#9eb1ff", "#d6e1ff",
)
# fmt: on
"""Radix's indigo, from step 1 to 12."""
_SOLID: Final = 8
_HOVERED: Final = 9
_TEXT: Final = 10
_GROUND: Final = 2
_READABLE: Final = 4.5


@dataclass(frozen=True, slots=True)
class Scale:
    """Twelve steps as ``#rrggbb``; the same with transparency; and what is read on step 9."""

    steps: tuple[str, ...]
    see_through: tuple[str, ...]
    contrast: str


def scale_of(color: str, *, dark: bool) -> Scale:
    """Return the scale of a color such as ``#0f766e``, for pages in the dark or not."""
    wanted = _rgb(color)
    _, chroma, hue = _oklch(wanted)
    profile = [_oklch(_rgb(step)) for step in (DARK if dark else LIGHT)]
    strength = chroma / profile[_SOLID][1]
    steps = [_from_oklch(light, own * strength, hue) for light, own, _ in profile]
    contrast = _best_on(wanted)
    steps[_SOLID] = wanted
    # Away from what is read on it
    step = 0.04 if contrast == (0.0, 0.0, 0.0) else -0.04
    light, own, _ = _oklch(wanted)
    steps[_HOVERED] = _from_oklch(min(max(light + step, 0.0), 1.0), own, hue)
    steps[_TEXT] = _readable(steps[_TEXT], steps[_GROUND], lighter=dark)
    ground = _rgb("#111113") if dark else (1.0, 1.0, 1.0)
    return Scale(
        steps=tuple(_hex(step) for step in steps),
        see_through=tuple(_see_through(step, ground) for step in steps),
        contrast=_hex(contrast),
    )


def contrast_ratio(color: str, other: str) -> float:
    """Return the contrast of two colors, from 1 to 21, by WCAG 2.2."""
    return _ratio(_rgb(color), _rgb(other))


def _readable(text: Rgb, ground: Rgb, *, lighter: bool) -> Rgb:
    light, chroma, hue = _oklch(text)
    while _ratio(text, ground) < _READABLE and 0.0 < light < 1.0:
        light += 0.01 if lighter else -0.01
        text = _from_oklch(light, chroma, hue)
    return text


def _best_on(ground: Rgb) -> Rgb:
    white, black = (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)
    return white if _ratio(white, ground) >= _READABLE else black


def _ratio(color: Rgb, other: Rgb) -> float:
    darker, lighter = sorted((_luminance(color), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: Rgb) -> float:
    red, green, blue = (_linear(part) for part in color)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _see_through(color: Rgb, ground: Rgb) -> str:
    """Return the color with the least opacity that is ``color`` on ``ground``."""
    opacity = max(
        (part - below) / ((1.0 if part > below else 0.0) - below)
        if not math.isclose(part, below, abs_tol=1e-6)
        else 0.0
        for part, below in zip(color, ground, strict=True)
    )
    opacity = math.ceil(opacity * 255) / 255
    if opacity <= 0.0:
        return "#00000000"
    mixed = [
        min(max((part - below * (1 - opacity)) / opacity, 0.0), 1.0)
        for part, below in zip(color, ground, strict=True)
    ]
    return f"{_hex(mixed)}{round(opacity * 255):02x}"


def _rgb(color: str) -> Rgb:
    red, green, blue = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def _hex(color: Sequence[float]) -> str:
    return "#" + "".join(f"{round(part * 255):02x}" for part in color)


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def _encoded(part: float) -> float:
    return part * 12.92 if part <= 0.0031308 else 1.055 * part ** (1 / 2.4) - 0.055


def _oklch(color: Rgb) -> tuple[float, float, float]:
    red, green, blue = (_linear(part) for part in color)
    long = math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue)
    middle = math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue)
    short = math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue)
    light = 0.2104542553 * long + 0.7936177850 * middle - 0.0040720468 * short
    a = 1.9779984951 * long - 2.4285922050 * middle + 0.4505937099 * short
    b = 0.0259040371 * long + 0.7827717662 * middle - 0.8086757660 * short
    return light, math.hypot(a, b), math.atan2(b, a)


def _from_oklch(light: float, chroma: float, hue: float) -> Rgb:
    """Return the color; with less chroma where a screen has none so strong."""
    while True:
        a, b = chroma * math.cos(hue), chroma * math.sin(hue)
        long = (light + 0.3963377774 * a + 0.2158037573 * b) ** 3
        middle = (light - 0.1055613458 * a - 0.0638541728 * b) ** 3
        short = (light - 0.0894841775 * a - 1.2914855480 * b) ** 3
        linear = (
            4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
            -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
            -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short,
        )
        if chroma < 1e-4 or all(-1e-4 <= part <= 1.0001 for part in linear):
            red, green, blue = (_encoded(min(max(part, 0.0), 1.0)) for part in linear)
            return red, green, blue
        chroma *= 0.97
