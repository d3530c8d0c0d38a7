"""The installation that runs on this home, as commands in a second terminal find it."""

from __future__ import annotations

from backend.engines.runfile import ProcessIdentity, RunFile, run_file_path
from backend.engines.services import Installation
from backend.errors import ConfigurationError
from backend.settings import Settings


def running_settings() -> Settings:
    """The settings, with the addresses of what ``farebox up`` runs where none is configured.

    Raises:
        ConfigurationError: no database is configured, and nothing runs on this home.
    """
    settings = Settings()
    run = RunFile.read(run_file_path(settings.home))
    if run.supervisor and ProcessIdentity.of(run.supervisor):
        return Settings.model_validate({**run.addresses, **_given(settings)})
    if settings.database_url is None:
        raise ConfigurationError(
            f"Nothing runs on {settings.home}. Start `farebox up` in another terminal, or set "
            "DATABASE_URL."
        )
    return settings


def running_api_url(settings: Settings) -> str:
    """Where a command on this machine reaches the API that these settings speak of."""
    return Installation(settings).api_url


def running_url(settings: Settings) -> str:
    """The address to open in a browser: the portal's if ``farebox up`` runs one, else the API's."""
    run = RunFile.read(run_file_path(settings.home))
    runs = run.supervisor and ProcessIdentity.of(run.supervisor)
    return run.url if runs else running_api_url(settings)


def _given(settings: Settings) -> dict[str, object]:
    return {name: getattr(settings, name) for name in settings.model_fields_set}
