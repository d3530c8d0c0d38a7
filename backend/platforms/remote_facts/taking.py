"""Brings in any fact that a platform reports."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from backend.invoices.taxing.answers import TaxAnswers
from backend.platforms.adapter import (
    CreditedThere,
    Disputed,
    InvoiceMoved,
    MoneyBack,
    PeriodInvoiced,
    RemoteFact,
    ToppedUp,
    UsageRejected,
)
from backend.platforms.remote_facts.credit_notes import credited
from backend.platforms.remote_facts.disputes import disputed
from backend.platforms.remote_facts.invoices import invoice_moved
from backend.platforms.remote_facts.period_invoices import period_invoiced
from backend.platforms.remote_facts.refunds import money_back
from backend.platforms.remote_facts.top_ups import topped_up
from backend.platforms.remote_facts.usage import usage_rejected
from backend.settings import Settings


async def take_fact(
    connection: AsyncConnection,
    settings: Settings,
    platform: str,
    fact: RemoteFact,
    now: datetime,
    answers: TaxAnswers,
) -> bool:
    """Bring in a fact; return whether it concerns anything of ours. Raises ``FareboxError``.

    Raises ``TaxQuestionOpen`` where ``answers`` lack what the tax service says.
    """
    match fact:
        case InvoiceMoved():
            return await invoice_moved(connection, platform, fact, now)
        case MoneyBack():
            return await money_back(connection, settings, platform, fact, now)
        case Disputed():
            return await disputed(connection, platform, fact, now)
        case CreditedThere():
            return await credited(connection, settings, platform, fact, now)
        case ToppedUp():
            return await topped_up(connection, settings, platform, fact, now, answers)
        case UsageRejected():
            return await usage_rejected(connection, platform, fact)
        case PeriodInvoiced():
            return await period_invoiced(connection, platform, fact, now)
