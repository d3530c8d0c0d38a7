"""What the gateway adds to a call, against asking the same provider directly in the same run.

    python -m benchmarks.gateway                    # about two minutes
    python -m benchmarks.gateway --litellm PATH/TO/litellm --portkey PATH/TO/start-server.js
    python -m benchmarks.gateway --streams 1000     # so many open at once, for a minute

The provider answers fixed bytes at once, so all that is measured is overhead; it, the client, the
gateway, the worker, NATS and PostgreSQL share this machine. Every call is admitted, forwarded,
counted and acknowledged by JetStream before its answer ends: nothing is switched off. Peers run
without a database or a key store, and so without accounting.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil
import uvloop

from backend.storage.database import Database
from backend_client import AsyncFareboxClient
from backend_client.types.accounts import ApiKeyCreate, TenantCreate
from benchmarks.fast_upstream import EVENTS
from benchmarks.http_load import Figures, Target, ask_once, measure
from benchmarks.open_streams import allow_many_files, keep_open
from tests.support.installation import CrashableInstallation
from tests.support.operators import operator_secret
from tests.support.ports import free_port
from tests.support.waiting import until

MODEL = "fast"
_STREAM_SECONDS = 60.0
"""How long each of ``--streams`` lasts."""
_PRICED: dict[str, Any] = {
    "id": "tokens",
    "name": "Tokens",
    "kind": "per_unit",
    "meters": ["input_tokens", "output_tokens"],
    "price": 1,
}
_QUOTA = {"meters": ["input_tokens", "output_tokens"], "quantity": 10**12, "limit": "hard"}
CATALOG: dict[str, Any] = {
    "version": 1,
    "default_plan": "plain",
    "models": [
        {
            "id": MODEL,
            "name": "Fast",
            "context_window": 4096,
            "max_output_tokens": 1024,
            "tokenizer": "tiktoken:o200k_base",
        }
    ],
    "plans": [
        {"id": "plain", "name": "Plain", "currency": "USD", "charges": [_PRICED]},
        {
            "id": "limited",
            "name": "Limited",
            "currency": "USD",
            "charges": [_PRICED],
            "quotas": [_QUOTA],
        },
        {
            "id": "prepaid",
            "name": "Prepaid",
            "currency": "USD",
            "prepaid": True,
            "charges": [_PRICED],
            "grants": [{"id": "credit", "name": "Credit", "amount": "1000000"}],
        },
    ],
}


@contextmanager
def process(*arguments: str, **environment: str) -> Iterator[None]:
    """A child process for as long as the block lasts."""
    child = subprocess.Popen(
        arguments,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        child.terminate()
        child.wait()


async def until_answers(target: Target) -> None:
    """Return once a target answers a completion: LiteLLM needs a minute to start on a busy core."""

    async def answers() -> bool:
        try:
            await ask_once(target)
        except (OSError, RuntimeError, asyncio.IncompleteReadError):
            return False
        return True

    await until(answers, seconds=240)


async def make_key(installation: CrashableInstallation, plan: str) -> Target:
    """A tenant on a plan, and the gateway as it calls it."""
    database = Database(installation.database_url, pool_size=1)
    async with database.begin() as connection:
        operator = await operator_secret(connection)
    await database.close()
    async with AsyncFareboxClient(installation.api_url, operator) as client:
        tenant = await client.tenants.create(TenantCreate(slug=plan, name=plan, plan=plan))
    secret = await key_of(installation, tenant.id)
    name = {"plain": "farebox", "limited": "farebox, hard quota", "prepaid": "farebox, prepaid"}[
        plan
    ]
    headers = {"authorization": f"Bearer {secret}"}
    return Target(name, f"{installation.api_url}/v1", MODEL, headers)


async def key_of(installation: CrashableInstallation, tenant_id: str) -> str:
    """Make a key by way of a person's session, as the portal does."""
    from backend.accounts.members.members import add_member, upsert_user
    from backend.accounts.sessions.sessions import begin_session
    from backend_client.types.accounts import Role

    database = Database(installation.database_url, pool_size=1)
    async with database.begin() as connection:
        user = await upsert_user(
            connection, issuer="benchmark", subject=tenant_id, name="Benchmark", email=None
        )
        await add_member(connection, tenant_id, user, Role.OWNER)
        session = await begin_session(connection, user, tenant_id, seconds=3600)
    await database.close()
    async with AsyncFareboxClient(installation.api_url, session.token) as client:
        (application,) = await client.applications.list().all()
        key = await client.keys.create(ApiKeyCreate(name="bench", application_id=application.id))
    return key.secret


def litellm(program: str, upstream: str, home: Path, stack: ExitStack) -> Target:
    """LiteLLM's proxy, with one worker and no database."""
    port, master_key = free_port(), "sk-" + secrets.token_hex(16)
    parameters = {"model": f"openai/{MODEL}", "api_base": upstream, "api_key": "sk-x"}
    config = {
        "model_list": [{"model_name": MODEL, "litellm_params": parameters}],
        "litellm_settings": {"callbacks": [], "num_retries": 0},
    }
    file = home / "litellm.yaml"
    file.write_text(json.dumps(config))
    arguments = ["--config", str(file), "--host", "127.0.0.1", "--port", str(port)]
    stack.enter_context(
        process(
            program,
            *arguments,
            "--num_workers",
            "1",
            LITELLM_MASTER_KEY=master_key,
            LITELLM_LOCAL_MODEL_COST_MAP="True",
            LITELLM_LOG="ERROR",
        )
    )
    headers = {"authorization": f"Bearer {master_key}"}
    return Target("LiteLLM", f"http://127.0.0.1:{port}/v1", MODEL, headers)


def portkey(script: str, upstream: str, stack: ExitStack) -> Target:
    """Portkey's gateway on Node."""
    port = free_port()
    stack.enter_context(process("node", script, "--headless", f"--port={port}"))
    headers = {
        "authorization": "Bearer sk-x",
        "x-portkey-provider": "openai",
        "x-portkey-custom-host": upstream,
    }
    return Target("Portkey", f"http://127.0.0.1:{port}/v1", MODEL, headers)


async def compare(targets: list[Target], seconds: float, api: psutil.Process) -> None:
    """Measure each target in each way, in turn, and print ratios to the first."""
    print(
        "| way | target | p50 ms | p95 ms | first ms | calls/s | p50 added ms | first added ms "
        "| API's CPU ms a call |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for stream in (False, True):
        for concurrency in (1, 16):
            direct: Figures | None = None
            for target in targets:
                way = f"{'streamed' if stream else 'plain'}, {concurrency} at a time"
                asked = {"stream": stream, "concurrency": concurrency}
                try:
                    await measure(target, **asked, seconds=1)
                    before = sum(api.cpu_times()[:2])
                    figures = await measure(target, **asked, seconds=seconds)
                    spent = sum(api.cpu_times()[:2]) - before
                except RuntimeError as error:
                    if target.name.startswith("farebox"):
                        raise
                    print(f"| {way} | {target.name} | {str(error).splitlines()[0]} | | | | | | |")
                    continue
                direct = direct or figures
                own = target.name.startswith("farebox")
                cpu_ms = f"{spent / figures.calls * 1000:.2f}" if own else ""
                print(
                    f"| {way} | {target.name} | {figures.p50_ms:.2f} | {figures.p95_ms:.2f} "
                    f"| {figures.first_p50_ms:.2f} | {figures.per_second:,.0f} "
                    f"| {figures.p50_ms - direct.p50_ms:.2f} "
                    f"| {figures.first_p50_ms - direct.first_p50_ms:.2f} | {cpu_ms} |",
                    flush=True,
                )


async def counted(installation: CrashableInstallation) -> None:
    """Wait for the worker, and say that every call was metered: one event for each."""
    connection = await asyncpg.connect(installation.database_url)
    seen = -1

    async def settled() -> bool:
        nonlocal seen
        before, seen = seen, await connection.fetchval("SELECT count(*) FROM events")
        async with httpx.AsyncClient() as client:
            answer = await client.get(f"{installation.api_url}/readyz")
        return before == seen and answer.status_code == 200

    await until(settled, seconds=60)
    print(f"\nEvents counted of the gateway's calls: {seen:,}")
    await connection.close()


async def run(arguments: argparse.Namespace) -> None:
    """Start everything, measure, stop everything."""
    home = Path(tempfile.mkdtemp(prefix="fb-"))
    port = free_port()
    upstream = f"http://127.0.0.1:{port}/v1"
    catalog = home / "catalog.yaml"
    catalog.write_text(json.dumps(CATALOG))
    os.environ["FAREBOX_CATALOG"] = str(catalog)
    os.environ["FAREBOX_UPSTREAMS"] = json.dumps(
        [{"name": "fast", "base_url": upstream, "models": [MODEL]}]
    )
    installation = CrashableInstallation(home)
    installation.start_engines()
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        stack.callback(installation.stop)
        pause = str(_STREAM_SECONDS / len(EVENTS)) if arguments.streams else "0"
        provider = ("benchmarks.fast_upstream", str(port), "--pause", pause)
        stack.enter_context(process(sys.executable, "-m", *provider))
        await installation.start_roles()
        api = psutil.Process(installation.pid("api"))
        if arguments.streams:
            target = await make_key(installation, "plain")
            await until_answers(target)
            print(f"Load average {os.getloadavg()[0]:.1f}\n")
            await keep_open(target, arguments.streams, api)
            await counted(installation)
            return
        targets = [
            Target("direct", upstream, MODEL, {}),
            await make_key(installation, "plain"),
            await make_key(installation, "limited"),
            await make_key(installation, "prepaid"),
        ]
        if arguments.litellm:
            targets.append(litellm(arguments.litellm, upstream, home, stack))
        if arguments.portkey:
            targets.append(portkey(arguments.portkey, upstream, stack))
        for target in targets:
            await until_answers(target)
        print(f"Load average {os.getloadavg()[0]:.1f}\n")
        await compare(targets, arguments.seconds, api)
        await counted(installation)
        print(f"CPU seconds: {installation.cpu_seconds()}")


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8, help="how long each measure takes")
    parser.add_argument("--streams", type=int, help="how many to keep open at once, instead")
    parser.add_argument("--litellm", help="the program, in an environment of its own")
    parser.add_argument("--portkey", help="@portkey-ai/gateway's build/start-server.js")
    arguments = parser.parse_args()
    allow_many_files()
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    uvloop.run(run(arguments))


if __name__ == "__main__":
    main()
