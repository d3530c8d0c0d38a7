"""What a badge's color says, one meaning a color: a subset of Radix's."""

from __future__ import annotations

from typing import Literal

Color = Literal["gray", "green", "blue", "orange", "red"]
"""Nothing special; good or done; on its way; to be looked at; wrong."""
