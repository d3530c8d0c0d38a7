"""The installation that runs on this home, for commands in a second terminal."""

from __future__ import annotations

from backend.engines.runfile import ProcessIdentity, RunFile, run_file_path
from backend.engines.services import Installation
from backend.errors import ConfigurationError
from backend.settings import Settings


def running_settings() -> Settings:
    """Return the settings, with addresses of what ``farebox up`` runs if none are configured.

    Raises:
        ConfigurationError: no database is configured, and nothing runs on this home.
    """
    settings = Settings()
    run = RunFile.read(run_file_path(settings.home))
    if run.supervisor and ProcessIdentity.of(run.supervisor):
        return Settings.model_validate({**run.addresses, **_explicit(settings)})
    if settings.database_url is None:
        raise ConfigurationError(
            f"Nothing runs on {settings.home}. Start `farebox up` in another terminal, or set "
            "DATABASE_URL."
        )
    return settings


def running_api_url(settings: Settings) -> str:
    """Return the address of the configured API for a command on this machine."""
    return Installation(settings).api_url


def running_url(settings: Settings) -> str:
    """Return the browser address: the portal's if ``farebox up`` runs one, else the API's."""
    run = RunFile.read(run_file_path(settings.home))
    runs = run.supervisor and ProcessIdentity.of(run.supervisor)
    return run.url if runs else running_api_url(settings)


def _explicit(settings: Settings) -> dict[str, object]:
    return {name: getattr(settings, name) for name in settings.model_fields_set}
