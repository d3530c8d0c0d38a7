"""A served API with its worker, for what reaches it over HTTP."""

from __future__ import annotations

from tests.api.conftest import api, api_settings, app, operator, worker
from tests.demo.conftest import api_url

__all__ = ["api", "api_settings", "api_url", "app", "operator", "worker"]
