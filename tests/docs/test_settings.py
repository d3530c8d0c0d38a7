"""docs/operating.md tells every setting that there is, and no other, with its default."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import AliasChoices
from pydantic_settings import BaseSettings

from backend.settings import Settings
from portal.settings import PortalSettings
from tests.docs.pages import DOCS

pytestmark = pytest.mark.fast

UNITS = {"MiB": 1024**2, "GiB": 1024**3}


def documented() -> dict[str, str]:
    """The default that the page states, by variable."""
    page = (DOCS / "operating.md").read_text()
    section = page[page.index("## Settings") : page.index("### Model providers")]
    rows = re.findall(r"^\| `([A-Z_]+)` \| ?(.*?) ?\|", section, re.MULTILINE)
    assert len(rows) == len(dict(rows)), "a setting stands twice"
    return dict(rows)


def defaults() -> dict[str, Any]:
    """The default of every field of both programs, by the variable that sets it."""
    return {
        _variable(settings, name): field.get_default()
        for settings in (PortalSettings, Settings)
        for name, field in settings.model_fields.items()
    }


def test_every_setting_is_documented_and_every_documented_one_is_there() -> None:
    assert sorted(documented()) == sorted(defaults())


@pytest.mark.parametrize(("variable", "stated"), documented().items(), ids=documented())
def test_the_stated_default_is_the_codes(variable: str, stated: str) -> None:
    default = defaults()[variable]
    if size := re.fullmatch(r"(\d+) (MiB|GiB)", stated):
        assert default == int(size[1]) * UNITS[size[2]]
    elif (literal := re.fullmatch(r"`(.*)`", stated)) and literal[1] not in defaults():
        assert _written(default) == literal[1]
    elif variable != "FAREBOX_SELLER_NAME":  # its default is a sentence
        # No value of its own: the page says in words what happens then, or nothing
        assert default in (None, "", [])


def _variable(settings: type[BaseSettings], name: str) -> str:
    """The shortest name that the environment may use for a field."""
    alias = settings.model_fields[name].validation_alias
    if isinstance(alias, AliasChoices):
        return min((str(choice) for choice in alias.choices if str(choice).isupper()), key=len)
    return f"{settings.model_config['env_prefix']}{name.upper()}"


def _written(default: Any) -> str:
    """A default as one would write it into the environment."""
    if isinstance(default, list | dict):
        return json.dumps(default)
    if isinstance(default, float):
        return f"{default:g}"
    assert isinstance(default, str | int | Path | Decimal)
    return str(default)
