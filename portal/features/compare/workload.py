"""What is compared: a described workload or the past, as an address holds it. Plain functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final, Literal
from urllib.parse import urlencode

from backend_client.types.simulate import SimulationRequest, Workload

Basis = Literal["workload", "past"]

MOST_CHATS: Final = 10_000_000
MOST_TOKENS: Final = 1_000_000
MOST_MONTHS: Final = 24
MOST_PAST: Final = 12
MOST_SEATS: Final = 100_000
MOST_GROWTH: Final = 100
MOST_SHARE: Final = 100
MOST_MODELS: Final = 6
"""Models of a mix that a page has room for."""

CURVE_POINTS: Final = 24
"""As many volumes as periods that one simulation can have."""
_CURVE_GROWTH: Final = Decimal("22.168")
"""Percent from one volume to the next: a hundredfold over all of them."""

STEPS: Final = (
    *(round(lead * 10**power) for power in range(1, 7) for lead in (1, 1.5, 2, 3, 5, 7)),
    MOST_CHATS,
)
"""Where the slider of a quantity stops: evenly by proportion, since plans differ by magnitudes."""


@dataclass(frozen=True)
class Mix:
    """A model and its part of the chats, from 0 to 100; the parts need not sum to 100."""

    model: str
    share: int


@dataclass(frozen=True)
class Choice:
    """What plans are compared by.

    Tokens are of one chat, ``cached`` the percentage of its input that the provider has cached,
    ``growth`` the percentage from month to month. ``months`` to come for a workload, ``past``
    months that are over otherwise.
    """

    basis: Basis = "workload"
    chats: int = 1_000
    tokens_in: int = 1_500
    tokens_out: int = 300
    cached: int = 0
    growth: int = 0
    months: int = 1
    past: int = 3
    seats: int = 1
    mix: tuple[Mix, ...] = ()


_BOUNDS: Final[Mapping[str, tuple[int, int]]] = {
    "chats": (1, MOST_CHATS),
    "tokens_in": (0, MOST_TOKENS),
    "tokens_out": (0, MOST_TOKENS),
    "cached": (0, 100),
    "growth": (-50, MOST_GROWTH),
    "months": (1, MOST_MONTHS),
    "past": (1, MOST_PAST),
    "seats": (0, MOST_SEATS),
}


def changed(choice: Choice, field: str, value: object) -> Choice:
    """Return the choice with a number of it changed, kept within its bounds.

    What is no number, and what no field has, changes nothing.
    """
    if field not in _BOUNDS or (number := _number(value)) is None:
        return choice
    low, high = _BOUNDS[field]
    bounded = min(max(number, low), high)
    fields = {name: bounded if name == field else getattr(choice, name) for name in _BOUNDS}
    return Choice(basis=choice.basis, mix=choice.mix, **fields)


def with_share(choice: Choice, model: str, value: object) -> Choice:
    """Return the choice with a model's part of the chats changed."""
    number = _number(value)
    if number is None:
        return choice
    share = min(max(number, 0), MOST_SHARE)
    mix = tuple(
        Mix(part.model, share if part.model == model else part.share) for part in choice.mix
    )
    return replace(choice, mix=mix)


def to_query(choice: Choice) -> str:
    """Write a choice as the query of an address; without what is as usual."""
    usual = Choice()
    query = {
        name: str(getattr(choice, name))
        for name in ("basis", *_BOUNDS)
        if getattr(choice, name) != getattr(usual, name)
    }
    if choice.mix:
        query["mix"] = ",".join(f"{part.model}:{part.share}" for part in choice.mix if part.share)
    return urlencode(query)


def from_query(query: Mapping[str, str], models: Sequence[str]) -> Choice:
    """Read a choice from the query of an address, which anybody may have written.

    The mix has all of ``models``, as many as a page has room for; without one in the query all
    chats are with the first.
    """
    choice = Choice(basis="past" if query.get("basis") == "past" else "workload")
    for field in _BOUNDS:
        choice = changed(choice, field, query.get(field))
    shares: dict[str, int] = {}
    for part in query.get("mix", "").split(","):
        model, _, share = part.rpartition(":")
        if model in models and (number := _number(share)) is not None:
            shares[model] = min(max(number, 0), MOST_SHARE)
    if not any(shares.values()):
        shares = dict.fromkeys(models[:1], MOST_SHARE)
    named = [model for model in models if model in shares]
    shown = [*named, *(model for model in models if model not in shares)][:MOST_MODELS]
    ordered = sorted(shown, key=models.index)
    return replace(choice, mix=tuple(Mix(model, shares.get(model, 0)) for model in ordered))


def simulation(choice: Choice) -> SimulationRequest | None:
    """Return the question to the API; None if no chat is with any model."""
    if choice.basis == "past":
        return SimulationRequest(past_periods=choice.past, seats=choice.seats)
    workload = _workload(choice)
    if workload is None:
        return None
    return SimulationRequest(workload=workload, seats=choice.seats)


def curve(choice: Choice) -> SimulationRequest | None:
    """Return the question for the bills of a tenth of the volume to ten times it.

    Each period of the simulation is a volume: they grow as periods of a workload can.
    """
    if choice.basis == "past" or (workload := _workload(choice)) is None:
        return None
    volumes = workload.model_copy(
        update={
            "requests_per_day": Decimal(choice.chats) / 10,
            "growth_percent": _CURVE_GROWTH,
            "periods": CURVE_POINTS,
        }
    )
    return SimulationRequest(workload=volumes, seats=choice.seats)


def _workload(choice: Choice) -> Workload | None:
    models = {part.model: Decimal(part.share) for part in choice.mix if part.share}
    if not models:
        return None
    cached = Decimal(choice.tokens_in) * choice.cached / 100
    per_chat = {
        "requests": Decimal(1),
        "input_tokens": choice.tokens_in - cached,
        "cached_input_tokens": cached,
        "output_tokens": Decimal(choice.tokens_out),
    }
    return Workload(
        requests_per_day=Decimal(choice.chats),
        # What is not used needs no price
        per_request={meter: units for meter, units in per_chat.items() if units},
        models=models,
        growth_percent=Decimal(choice.growth),
        periods=choice.months,
    )


def curve_volumes(choice: Choice, days: Sequence[Decimal]) -> list[Decimal]:
    """Return how many chats each period of the curve has, whose lengths in ``days`` are given."""
    step = 1 + _CURVE_GROWTH / 100
    return [Decimal(choice.chats) / 10 * step**place * length for place, length in enumerate(days)]


def nearest_step(quantity: int) -> int:
    """Return the index of the slider's stop that is nearest in proportion."""
    if quantity <= 0:
        return 0
    ratios = [max(step, quantity) / min(step, quantity) for step in STEPS]
    return ratios.index(min(ratios))


def _number(value: object) -> int | None:
    """Read what a field or an address holds: whole, without sign or fraction of a unit."""
    text = str(value).strip().replace(",", "")
    sign = text.startswith("-")
    digits = text[1:] if sign else text
    if not digits.isascii() or not digits.isdigit() or len(digits) > 12:
        return None
    return -int(digits) if sign else int(digits)
