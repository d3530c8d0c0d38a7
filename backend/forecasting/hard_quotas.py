"""What of the futures' usage the gateway lets through, where hard quotas refuse calls. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from backend.forecasting.futures import Futures, Paths
from backend.forecasting.inputs import ForecastJob
from backend.forecasting.quotas import used_so_far
from backend.forecasting.rated_paths import stretch_places
from backend_client.types.plan_terms import QuotaLimit

Series: TypeAlias = tuple[str, str]


@dataclass(slots=True)
class _Bound:
    """A hard quota while its plan is in force: the series it counts, and each path's room."""

    place: int
    counted: frozenset[Series]
    models: frozenset[str]
    room: NDArray[np.float64]


def within_hard_quotas(
    job: ForecastJob, futures: Futures, coming: Sequence[datetime]
) -> Futures | None:
    """Return the futures less what hard quotas refuse; None if they refuse nothing in any.

    A refused call uses nothing, so a model whose usage counts toward a used-up quota stops with
    all its meters. A quota that was passed before now does not hold: usage then comes from
    elsewhere than the gateway, which nobody refuses.
    """
    places = stretch_places(job.opened, coming, job.now)
    bounds = _bounds(job, futures, places)
    if not bounds:
        return None
    passed = {series: paths.copy() for series, paths in futures.usage.items()}
    for day, place in enumerate(places):
        in_force = [bound for bound in bounds if bound.place == place]
        shares = _shares(passed, in_force, day)
        for (model, _), paths in passed.items():
            if model in shares:
                paths[:, day] = np.floor(paths[:, day] * shares[model])
        # A quota of the period also counts what was used on the plan before it
        for bound in bounds:
            bound.room -= _counted(passed, bound, day)
    if all(np.array_equal(passed[series], paths) for series, paths in futures.usage.items()):
        return None
    return replace(futures, usage=passed)


def _bounds(job: ForecastJob, futures: Futures, places: Sequence[int]) -> list[_Bound]:
    bounds = []
    for place in sorted(set(places)):
        plan = job.opened.stretches[place].plan
        for quota in plan.quotas if plan else ():
            room = float(quota.quantity - used_so_far(job, quota.meters))
            counted = frozenset(series for series in futures.usage if series[1] in quota.meters)
            if quota.limit is QuotaLimit.HARD and room >= 0 and counted:
                models = frozenset(model for model, _ in counted)
                bounds.append(_Bound(place, counted, models, np.full(job.paths, room)))
    return bounds


def _shares(
    passed: dict[Series, Paths], bounds: Sequence[_Bound], day: int
) -> dict[str, NDArray[np.float64]]:
    """Return, by model, the share (0 to 1) of each path's calls of the day that is let through."""
    shares: dict[str, NDArray[np.float64]] = {}
    for bound in bounds:
        asked = _counted(passed, bound, day)
        room = np.maximum(bound.room, 0.0)
        share = np.minimum(np.divide(room, asked, out=np.ones_like(room), where=asked > 0), 1.0)
        share = np.where(room > 0, share, 0.0)
        for model in bound.models:
            shares[model] = np.minimum(shares.get(model, share), share)
    return shares


def _counted(passed: dict[Series, Paths], bound: _Bound, day: int) -> NDArray[np.float64]:
    counted: NDArray[np.float64] = sum(
        (passed[series][:, day] for series in bound.counted), np.zeros_like(bound.room)
    )
    return counted
