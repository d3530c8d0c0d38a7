"""What is used of budgets, each of which is a request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from backend_client import ClientError, NotFound
from backend_client.types.limits import KeyBudgetUse

AT_A_TIME = 5
"""A tenant with hundreds of budgets would else take all that the API has for this portal."""


async def budget_uses(
    questions: Mapping[str, Callable[[], Awaitable[KeyBudgetUse]]],
) -> dict[str, KeyBudgetUse]:
    """What is used of each budget, by the keys of ``questions``, but of those that are gone.

    Once one could not be asked, no other is: who may see no budget is not refused for each.

    Raises:
        ClientError: one could not be asked.
    """
    free = asyncio.Semaphore(AT_A_TIME)
    problems: list[ClientError] = []

    async def ask(question: Callable[[], Awaitable[KeyBudgetUse]]) -> KeyBudgetUse | None:
        async with free:
            if problems:
                return None
            try:
                return await question()
            except NotFound:  # it was taken away, or there is no plan
                return None
            except ClientError as problem:
                problems.append(problem)
                return None

    answers = await asyncio.gather(*map(ask, questions.values()))
    if problems:
        raise problems[0]
    return {owner: use for owner, use in zip(questions, answers, strict=True) if use is not None}
