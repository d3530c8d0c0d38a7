"""What a call costs, as its caller is told."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

HEADER: Final = "x-farebox-cost"


@dataclass(frozen=True, slots=True)
class Cost:
    """What a call adds to the bill by its units, exact."""

    amount: Decimal
    currency: str

    def __str__(self) -> str:
        """``0.00153 USD``"""
        return f"{self.amount.normalize():f} {self.currency}"

    @property
    def comment(self) -> bytes:
        """A comment of a stream, which clients skip unless they look for it."""
        return f": {HEADER} {self}\n\n".encode()
