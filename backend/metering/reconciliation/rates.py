"""The operator's cost of a unit: by own rates, else by the provider's list price.

``FAREBOX_COST_RATES`` names a YAML file::

    currency: USD
    rates:
      - {model: sample-large, meter: input_tokens, price: 2.00, unit_size: 1_000_000}
      - {model: sample-large, meter: input_tokens, price: 1.80, from: 2026-07-01}

List prices are those that the package ``genai-prices`` ships, in US dollars; where a price depends
on the length of a request, it is that of a short one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import yaml
from genai_prices import Usage, calc_price
from pydantic import Field, ValidationError

from backend.errors import ConfigurationError
from backend_client.types.common import Currency, Exact, Wire
from backend_client.types.events import MeterName, Name

_PROBE = 1_000
"""Tokens that a list price is computed for: few, so that no price of long requests applies."""
_LISTED: Mapping[str, Callable[[], Usage]] = {
    "input_tokens": lambda: Usage(input_tokens=_PROBE),
    "cached_input_tokens": lambda: Usage(input_tokens=_PROBE, cache_read_tokens=_PROBE),
    "output_tokens": lambda: Usage(output_tokens=_PROBE),
    "reasoning_tokens": lambda: Usage(output_tokens=_PROBE),
}


class CostRate(Wire):
    """What ``unit_size`` units of a model's meter cost from a day on (None: always)."""

    model: Name
    meter: MeterName
    price: Annotated[Exact, Field(ge=0, allow_inf_nan=False)]
    unit_size: int = Field(1_000_000, ge=1)
    since: date | None = Field(None, alias="from")


class CostRates(Wire):
    """The operator's own rates."""

    currency: Currency
    rates: list[CostRate]


class Rates:
    """Costs of units, in ``currency``. ``unit_cost`` is None if there is no rate."""

    def __init__(self, own: CostRates | None) -> None:
        self.currency = "USD" if own is None else own.currency
        self._own: dict[tuple[str, str], list[CostRate]] = {}
        for rate in own.rates if own else ():
            self._own.setdefault((rate.model, rate.meter), []).append(rate)
        for rates in self._own.values():
            rates.sort(key=lambda rate: rate.since or date.min, reverse=True)

    def unit_cost(
        self, day: date, model: str, meter: str, *, provider: str | None = None, own_name: str = ""
    ) -> Decimal | None:
        """Return what one unit of a meter costs on a day, None if it is unknown.

        ``provider`` and ``own_name`` select the list price that replaces a missing rate.
        """
        for rate in self._own.get((model, meter), ()):
            if rate.since is None or rate.since <= day:
                return rate.price / rate.unit_size
        if meter == "reasoning_tokens" and (model, "output_tokens") in self._own:
            return self.unit_cost(day, model, "output_tokens")
        if self.currency != "USD" or meter not in _LISTED:
            return None
        return _list_price(provider, own_name or model, meter, day)


@lru_cache(maxsize=10_000)
def _list_price(provider: str | None, model: str, meter: str, day: date) -> Decimal | None:
    at = datetime.combine(day, time(12), UTC)
    # The package may not have the operator's name of the provider; then the model's name decides.
    for provider_id in (provider, None) if provider else (None,):
        try:
            price = calc_price(
                _LISTED[meter](), model, provider_id=provider_id, genai_request_timestamp=at
            )
        except LookupError:
            continue
        return price.total_price / _PROBE
    return None


def load_rates(path: Path | None) -> Rates:
    """Read the operator's rates; raise ``ConfigurationError`` with what is wrong."""
    if path is None:
        return Rates(None)
    try:
        # The base loader leaves every value as text: no price passes through a float.
        document = yaml.BaseLoader(path.read_bytes()).get_single_data()
        return Rates(CostRates.model_validate(document))
    except OSError as error:
        raise ConfigurationError(f"The cost rates {path} can't be read: {error}.") from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"The cost rates {path} are not YAML: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"The cost rates {path}: {where}: {first['msg']}") from error
