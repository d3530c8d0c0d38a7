from tests.api.conftest import api, api_settings, app, operator, session, worker
from tests.billing.conftest import applied, catalog

__all__ = ["api", "api_settings", "app", "applied", "catalog", "operator", "session", "worker"]
