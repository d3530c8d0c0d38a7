"""A platform's credential is all that it needs to be sent to, whichever it is."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from backend.platforms.configured import PLATFORMS, has_platform, open_adapters
from backend.settings import Settings
from backend.storage.database import Database
from backend.worker import TASKS
from backend_client.types.platforms import PlatformName
from tests.docs.pages import DOCS

pytestmark = pytest.mark.fast

NO_PLATFORM = Settings(**dict.fromkeys(platform.credential for platform in PLATFORMS.values()))


@pytest.mark.parametrize("name", PlatformName)
async def test_a_credential_alone_has_the_platform_opened_and_the_worker_send(
    name: PlatformName,
) -> None:
    key = SecretStr("sk_test_of_nobody")
    settings = NO_PLATFORM.model_copy(update={PLATFORMS[name].credential: key})
    database = Database("postgresql://127.0.0.1/none")
    adapters = open_adapters(database, settings)
    assert list(adapters) == [name]
    assert has_platform(settings)
    assert "platforms" in {task.name for task in TASKS if task.runs(settings)}
    for adapter in adapters.values():
        await adapter.close()
    await database.close()


def test_without_a_credential_there_is_none() -> None:
    assert not has_platform(NO_PLATFORM)


@pytest.mark.parametrize("name", PlatformName)
def test_a_platforms_secrets_are_hidden_in_what_is_logged(name: PlatformName) -> None:
    fields = {field for field in Settings.model_fields if field.startswith(f"{name}_")}
    assert PLATFORMS[name].credential in fields
    for field in fields:
        if field.endswith(("_key", "_secret")):
            assert Settings.model_fields[field].annotation == SecretStr | None, field


@pytest.mark.parametrize("name", PlatformName)
def test_a_platform_has_a_page(name: PlatformName) -> None:
    assert (DOCS / f"platforms-{name}.md").exists()
