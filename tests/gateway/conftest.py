"""The gateway on a real port, for OpenAI's own SDK; behind it the local model, or a provider made
to fail.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import pytest
from sqlalchemy import select

from backend.accounts.members.members import add_member, upsert_user
from backend.accounts.sessions.sessions import begin_session
from backend.engines.model import MODEL
from backend.kit.tls import tls_context
from backend.settings import Settings, Upstream
from backend.storage.database import Database
from backend.storage.tables import events
from backend_client.types.accounts import Role
from tests.support.flaky import FlakyServer
from tests.support.waiting import until

# Imported by the fixture that needs it: it takes half a second, for pure tests too
if TYPE_CHECKING:
    from openai import AsyncOpenAI

SPOKEN = (
    *("chat", "completions", "embeddings", "responses", "messages"),
    *("images", "image_edits", "moderations", "rerank", "speech", "transcriptions", "translations"),
)
MakeKey = Callable[..., Awaitable[str]]
Join = Callable[[str], Awaitable[dict[str, str]]]
OpenClient = Callable[..., "AsyncOpenAI"]


TRACE = frozenset({"request_id", "answer_id", "attempts", "first_token_ms"})


class Metered(NamedTuple):
    """One event of the gateway, as it was counted."""

    quantities: dict[str, Decimal]
    labels: dict[str, str]
    model: str
    counted: dict[str, Decimal] | None
    upstream: str
    trace: dict[str, str]
    """The labels that find the call elsewhere, which are not among ``labels``."""


@pytest.fixture
def provider() -> Iterator[FlakyServer]:
    """A provider that answers as it is told."""
    with FlakyServer() as serving:
        yield serving


@pytest.fixture
def api_settings(api_settings: Settings, local_model: str, provider: FlakyServer) -> Settings:
    """The API's settings: the local model, and ``sample-small`` at the other provider."""
    upstreams = [
        Upstream(name="local", base_url=f"{local_model}/v1", models={MODEL: MODEL}),
        Upstream(
            name="test",
            base_url=f"{provider.url}/v1",
            models={"sample-small": "their-own-name"},
            speaks=SPOKEN,
            timeout_seconds=2,
        ),
    ]
    return api_settings.model_copy(
        update={"upstreams": upstreams, "max_body_bytes": 100_000, "drift_sample": 1.0}
    )


def patient(settings: Settings) -> Settings:
    """Wait for providers as long as a busy machine takes when many call at once."""
    upstreams = [
        upstream.model_copy(update={"timeout_seconds": 120}) for upstream in settings.upstreams
    ]
    return settings.model_copy(update={"upstreams": upstreams})


@pytest.fixture
async def make_key(api: httpx.AsyncClient, session: dict[str, str]) -> MakeKey:
    """Makes a key of the local tenant; returns its secret."""
    applications = await api.get("/v1/applications", headers=session)
    application = applications.json()["items"][0]["id"]

    async def made(**wanted: Any) -> str:
        asked = {"name": "test", "application_id": application, **wanted}
        answer = await api.post("/v1/keys", headers=session, json=asked)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["secret"])

    return made


@pytest.fixture
def join(database: Database, api: httpx.AsyncClient, operator: dict[str, str]) -> Join:
    """Makes a tenant on a plan; returns a session's headers of its owner."""

    async def joined(plan: str) -> dict[str, str]:
        wanted = {"slug": plan, "name": plan, "plan": plan}
        answer = await api.post("/v1/tenants", headers=operator, json=wanted)
        assert answer.status_code == 201, answer.text
        tenant_id = answer.json()["id"]
        async with database.begin() as connection:
            user = await upsert_user(
                connection, issuer="test", subject=plan, name="Owner", email=None
            )
            await add_member(connection, tenant_id, user, Role.OWNER)
            session = await begin_session(connection, user, tenant_id, seconds=600)
        return {"authorization": f"Bearer {session.token}"}

    return joined


@pytest.fixture
async def open_client(url: str) -> AsyncIterator[OpenClient]:
    """Makes SDK clients with a key."""
    from openai import AsyncOpenAI, DefaultAsyncHttpxClient

    opened: list[AsyncOpenAI] = []

    def made(key: str, **options: Any) -> AsyncOpenAI:
        usual = {"max_retries": 0, "http_client": DefaultAsyncHttpxClient(verify=tls_context())}
        client = AsyncOpenAI(base_url=f"{url}/v1", api_key=key, **{**usual, **options})
        opened.append(client)
        return client

    yield made
    for client in opened:
        await client.close()


@pytest.fixture
async def client(open_client: OpenClient, make_key: MakeKey) -> AsyncOpenAI:
    """The SDK with a good key."""
    return open_client(await make_key())


@pytest.fixture
def metered(database: Database, worker: None) -> Callable[[int], Awaitable[list[Metered]]]:
    """Waits until so many events of the gateway were counted; returns all that there are."""

    async def read() -> list[Metered]:
        async with database.begin() as connection:
            rows = await connection.execute(
                select(
                    events.c.quantities,
                    events.c.labels,
                    events.c.model,
                    events.c.counted,
                    events.c.upstream,
                )
                .where(events.c.source == "farebox://gateway")
                .order_by(events.c.received_at)
            )
            return [
                Metered(
                    _exact(row.quantities),
                    {name: row.labels[name] for name in row.labels if name not in TRACE},
                    row.model,
                    _exact(row.counted),
                    row.upstream,
                    {name: row.labels[name] for name in row.labels if name in TRACE},
                )
                for row in rows
            ]

    async def counted(number: int) -> list[Metered]:
        async def enough() -> bool:
            return len(await read()) >= number

        await until(enough)
        return await read()

    return counted


def _exact(quantities: dict[str, Any] | None) -> Any:
    if quantities is None:
        return None
    return {meter: Decimal(str(quantity)) for meter, quantity in quantities.items()}
