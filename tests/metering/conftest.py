"""A served API with its worker, for what reaches it over HTTP."""

from __future__ import annotations

from tests.api.conftest import api_settings, app, worker
from tests.demo.conftest import api_url

__all__ = ["api_settings", "api_url", "app", "worker"]
