"""Workers that send to Stripe and are killed: a fork of this process for each line that it reads.

It has imported all that they need, so that a worker is there at once. It writes the worker's
process id, and writes ``gone`` when that worker is.
"""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import timedelta

from backend.platforms.worker import PlatformsWorker
from backend.settings import Settings
from backend.storage.database import Database

LEASE = timedelta(seconds=0.3)
PAUSE_SECONDS = 0.1


async def work() -> None:
    settings = Settings()
    assert settings.database_url is not None
    database = Database(settings.database_url, pool_size=4)
    await PlatformsWorker(database, settings, lease=LEASE, every_seconds=PAUSE_SECONDS).run(
        asyncio.Event()
    )


def main() -> None:
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            asyncio.run(work())
        print(child, flush=True)  # noqa: T201 - the test reads it
        os.waitpid(child, 0)
        print("gone", flush=True)  # noqa: T201 - the test reads it


if __name__ == "__main__":
    main()
