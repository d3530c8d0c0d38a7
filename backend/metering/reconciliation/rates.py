"""The operator's cost of a unit: by own rates, else by the provider's list price.

``FAREBOX_COST_RATES`` names a YAML file::

    currency: USD
    rates:
      - {model: sample-large, meter: input_tokens, price: 2.00, unit_size: 1_000_000}
      - {model: sample-large, meter: input_tokens, price: 1.80, from: 2026-07-01}

Where there is no own rate, the provider's list price applies; see ``list_prices``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field, StringConstraints, ValidationError

from backend.errors import ConfigurationError
from backend.metering.reconciliation.list_prices import list_price
from backend_client.types.common import Currency, Exact, Wire
from backend_client.types.events import MeterName, Name

Tier = Annotated[str, StringConstraints(pattern=r"^([a-z_]+(\+[a-z_]+)*)?$", max_length=100)]


class CostRate(Wire):
    """What ``unit_size`` units of a model's meter cost from a day on (None: always).

    With an ``upstream`` it is what that provider takes, with a ``tier`` what units of that tier
    cost: ``batch``, ``long_context``, or several joined by ``+`` in the order of the alphabet.
    """

    model: Name
    meter: MeterName
    upstream: Name | None = None
    tier: Tier = ""
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
        self._own: dict[tuple[str, str, str], list[CostRate]] = {}
        for rate in own.rates if own else ():
            self._own.setdefault((rate.model, rate.meter, rate.tier), []).append(rate)
        for rates in self._own.values():
            # The newest first, and of one day those of an upstream first
            rates.sort(key=lambda rate: (rate.upstream is not None, rate.since or date.min))
            rates.reverse()

    def unit_cost(
        self,
        day: date,
        model: str,
        meter: str,
        *,
        provider: str | None = None,
        own_names: Sequence[str] = (),
        tier: str = "",
    ) -> Decimal | None:
        """Return what one unit of a meter costs on a day, None if it is unknown.

        ``provider`` selects the own rates of an upstream, and with ``own_names``, its words for the
        model, the list price that replaces a missing rate.
        """
        for rate in self._own.get((model, meter, tier), ()):
            if rate.upstream in (None, provider) and (rate.since is None or rate.since <= day):
                return rate.price / rate.unit_size
        if meter == "reasoning_tokens" and (model, "output_tokens", tier) in self._own:
            return self.unit_cost(day, model, "output_tokens", provider=provider, tier=tier)
        if self.currency != "USD":
            return None
        for name in own_names or (model,):
            price = list_price(provider, name, meter, day, tier)
            if price is not None:
                return price
        return None


def load_rates(path: Path | None) -> Rates:
    """Read the operator's rates; raise ``ConfigurationError`` with what is wrong."""
    if path is None:
        return Rates(None)
    try:
        # The base loader leaves every value as text: no price passes through a float.
        document = yaml.CBaseLoader(path.read_bytes()).get_single_data()
        return Rates(CostRates.model_validate(document))
    except OSError as error:
        raise ConfigurationError(f"The cost rates {path} can't be read: {error}.") from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"The cost rates {path} are not YAML: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"The cost rates {path}: {where}: {first['msg']}") from error
