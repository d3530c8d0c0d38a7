"""What is used of budgets, each of which is a request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from backend_client import NotFound
from backend_client.types.limits import KeyBudgetUse

AT_A_TIME = 5
"""A tenant with hundreds of budgets would else take all that the API has for this portal."""


async def budget_uses(
    questions: Mapping[str, Callable[[], Awaitable[KeyBudgetUse]]],
) -> dict[str, KeyBudgetUse]:
    """What is used of each budget, by the keys of ``questions``, but of those that are gone.

    Raises:
        ClientError: one could not be asked for another reason.
    """
    free = asyncio.Semaphore(AT_A_TIME)

    async def ask(question: Callable[[], Awaitable[KeyBudgetUse]]) -> KeyBudgetUse | None:
        async with free:
            try:
                return await question()
            except NotFound:  # it was taken away, or there is no plan
                return None

    answers = await asyncio.gather(*map(ask, questions.values()), return_exceptions=True)
    uses: dict[str, KeyBudgetUse] = {}
    for owner, answer in zip(questions, answers, strict=True):
        if isinstance(answer, BaseException):
            raise answer
        if answer is not None:
            uses[owner] = answer
    return uses
