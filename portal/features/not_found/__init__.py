"""What stands at an address that no page has."""

from __future__ import annotations

from portal.features.not_found.page import page
from portal.shell.feature import BarePage

FEATURE = BarePage(route="404", title="Not found", page=page)
