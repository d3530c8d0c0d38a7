"""The API's fixtures, for the tests here that go through it."""

from tests.api.conftest import api, api_settings, app, operator, session, worker

__all__ = ["api", "api_settings", "app", "operator", "session", "worker"]
