"""The tax service's answers about invoices, and the asking, a few at once.

The service is asked while no transaction is open. An answer is looked up by a digest of the whole
question, so that it never goes onto an invoice that has changed since.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from secrets import token_hex
from typing import Final, TypeVar

import structlog

from backend.invoices.errors import TaxNotKnown
from backend.invoices.taxing.checking import checked
from backend.invoices.taxing.service import TaxService
from backend.invoices.taxing.untaxed import digest
from backend_client.types.invoices import Tax
from backend_client.types.tax_service import TaxQuestion

_log = structlog.get_logger(__name__)

Done = TypeVar("Done")

AT_ONCE: Final = 8
"""Questions that are under way at the same time."""

ROUNDS: Final = 3
"""How often to ask about an invoice that has changed each time when it is to be issued."""

CHANGED: Final = "The invoice changed each time that the tax service was asked about it."


class TaxQuestionOpen(TaxNotKnown):
    """The tax service has not been asked about this very invoice."""

    def __init__(self, question: TaxQuestion) -> None:
        super().__init__("The tax service has not been asked about this invoice.")
        self.question = question


@dataclass(frozen=True, slots=True)
class KnownTax:
    """A good answer."""

    taxes: list[Tax]
    notes: list[str]


class TaxAnswers:
    """The answers of one piece of work, such as an invoice run. Its ``word`` is unique."""

    def __init__(self, service: TaxService | None = None) -> None:
        self.word = token_hex(8)
        self._service = service
        self._known: dict[str, KnownTax | TaxNotKnown] = {}
        self._changes: Counter[str] = Counter()

    def to(self, question: TaxQuestion) -> KnownTax:
        """Return the answer. Raises ``TaxQuestionOpen``, or ``TaxNotKnown`` if it was unusable."""
        answer = self._known.get(digest(question))
        if answer is None:
            raise TaxQuestionOpen(question)
        if isinstance(answer, TaxNotKnown):
            raise answer
        return answer

    async def ask(self, questions: Sequence[TaxQuestion]) -> None:
        """Ask all of them, and forget earlier answers. Never raises: see ``to``."""
        slots = asyncio.Semaphore(AT_ONCE)

        async def ask_one(question: TaxQuestion) -> tuple[str, KnownTax | TaxNotKnown]:
            async with slots:
                try:
                    return digest(question), await ask_and_check(self._service, question)
                except TaxNotKnown as error:
                    return digest(question), error

        self._known = dict(await asyncio.gather(*(ask_one(question) for question in questions)))

    def changed(self, invoice_id: str) -> bool:
        """Count a change of an invoice since it was asked about; return whether to ask again."""
        self._changes[invoice_id] += 1
        return self._changes[invoice_id] < ROUNDS


async def ask_and_check(service: TaxService | None, question: TaxQuestion) -> KnownTax:
    """Ask the service; raise ``TaxNotKnown`` with the reason unless its answer can be right."""
    try:
        if service is None:
            raise TaxNotKnown("There is no tax service to ask.")
        answer = await service.ask(question)
        try:
            return KnownTax(checked(answer, question), answer.notes)
        except ValueError as error:
            raise TaxNotKnown(f"What the tax service answered can't be right: {error}.") from error
    except TaxNotKnown as error:
        _log.warning(
            "tax_service.no_answer",
            tenant=question.tenant,
            invoice=question.id,
            reason=error.detail,
            preview=question.preview,
        )
        raise


async def with_answers(answers: TaxAnswers, act: Callable[[], Awaitable[Done]]) -> Done:
    """Do ``act``, a transaction of its own, and do it again after asking what it lacked.

    Raises ``TaxNotKnown`` if there is no good answer, or the question changes each time.
    """
    for _ in range(ROUNDS):
        try:
            return await act()
        except TaxQuestionOpen as open_still:
            question = open_still.question
        await answers.ask([question])
    raise TaxNotKnown(CHANGED)
