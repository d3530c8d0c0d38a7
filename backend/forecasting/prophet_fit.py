"""One series through Prophet: its trend with possible continuations, and its weekly season."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MOST_ITERATIONS = 2_000


@dataclass(frozen=True, slots=True)
class Fit:
    """``past_trend`` by fitted day; ``trend`` by path and coming day.

    The seasons are the factors that the week gives each day.
    """

    past_trend: NDArray[np.float64]
    past_season: NDArray[np.float64]
    trend: NDArray[np.float64]
    season: NDArray[np.float64]

    @property
    def past(self) -> NDArray[np.float64]:
        """The fitted values of the days that it was fitted to."""
        return self.past_trend * self.past_season


@lru_cache(maxsize=256)
def fit_series(
    daily: tuple[float, ...], first: date, begun: int, days: int, *, paths: int, seed: int
) -> Fit:
    """Fit the days from place ``begun`` on, and sample the ``days`` that follow.

    ``first`` is the date of place 0. Deterministic for a seed, and cached: until the next day
    begins, another forecast has the same days to fit.
    """
    import pandas as pd  # with Prophet, where forecasts are computed alone

    model = _prophet()(
        growth="linear",
        seasonality_mode="multiplicative",
        weekly_seasonality=True,
        daily_seasonality=False,
        # A year's season takes two years to learn; the history is one (``LONGEST_DAYS``)
        yearly_seasonality=False,
        uncertainty_samples=paths,
    )
    start = pd.Timestamp(first + timedelta(days=begun))
    known_days = len(daily) - begun
    dates = pd.date_range(start, periods=known_days + days)
    # By default Prophet uses Newton's method below 100 days, which may take many seconds.
    history = pd.DataFrame({"ds": dates[:known_days], "y": list(daily[begun:])})
    model.fit(history, seed=seed, algorithm="LBFGS", iter=_MOST_ITERATIONS)
    # Prophet draws from NumPy's global generator; nothing else in this process does.
    np.random.seed(seed % 2**32)
    # Prophet samples one row of trends a day; the past's have no uncertainty.
    prepared = model.setup_dataframe(pd.DataFrame({"ds": dates}))
    sampled = model.sample_posterior_predictive(prepared, vectorized=True)["trend"]
    season = 1.0 + model.predict_seasonal_components(prepared)["multiplicative_terms"].to_numpy()
    season = np.maximum(season, 0.0)
    trend = np.asarray(sampled, dtype=np.float64).T
    past_trend = np.maximum(trend[0, :known_days], 0.0)
    return Fit(past_trend, season[:known_days], trend[:, known_days:], season[known_days:])


def _prophet() -> Any:
    """Prophet, imported when first needed: it takes a second and 100 MB."""
    # They report missing plotting libraries, and every fit.
    for name in ("prophet", "prophet.models", "prophet.plot", "cmdstanpy"):
        logging.getLogger(name).disabled = True
    from prophet import Prophet

    return Prophet
