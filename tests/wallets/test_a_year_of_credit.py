"""A leap year of forty wallets: every balance, grant and invoice is what it is by hand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from sqlalchemy import RowMapping, select

from backend.catalog.published import apply_catalog
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import (
    credit_grants,
    invoices,
    ledger_entries,
    payments,
    wallets,
)
from backend.wallets.queries import wallet_balance
from tests.spend.oracle import Dice
from tests.support.billing import catalog_with, make_tenant
from tests.support.postgres import Databases
from tests.wallets.credit_bills import Life
from tests.wallets.credit_oracle import PARTS, ZERO, Pot
from tests.wallets.credit_plans import PLANS
from tests.wallets.credit_story import Actor
from tests.wallets.credit_world import DAY, World, plan_the_year

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

YEAR = 2028
NEW_YEAR = datetime(YEAR, 1, 1, tzinfo=UTC)
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Auckland",
)
TENANTS = 40
INSTANTS = 12
"""How many balances of each tenant are compared, spread over its year."""


@pytest.fixture(scope="module")
async def world(databases: Databases) -> AsyncIterator[World]:
    """The year, lived once."""
    async with databases.lend() as url:
        database = Database(url, pool_size=5)
        async with database.begin() as connection:
            await apply_catalog(connection, catalog_with(plans=PLANS, default_plan="spot"))
        async with database.raw() as meter:
            world = World(database, Settings(), meter)
            for number in range(TENANTS):
                dice = Dice(f"wallet {number}")
                zone, anchor = ZONES[number % len(ZONES)], (1, 15, 29, 31)[number % 4]
                currency = "JPY" if number % 5 == 0 else "USD"
                tenant = await make_tenant(database, time_zone=zone, currency=currency)
                life = Life(zone, anchor, currency, YEAR)
                actor = Actor(world, tenant, life, dice, 150 if currency == "JPY" else 1)
                world.actors.append(actor)
                plan_the_year(actor, number, NEW_YEAR)
            for day in range(366 + 65):  # until all that came late is invoiced
                if day % 3 == 0:
                    world.at(NEW_YEAR + DAY * day + timedelta(hours=day % 24), world.bill)
                world.at(NEW_YEAR + DAY * day + timedelta(hours=day * 7 % 24), world.sweep)
            await world.live()
        yield world
        await database.close()


async def test_the_year_had_everything_in_it(world: World) -> None:
    counts = world.counts
    purses = [actor.life.purse for actor in world.actors]
    assert counts["held"] > 500
    for what in ("free", "refused", "outside", "given back", "refunded", "top-up failed"):
        assert counts[what] > 20, what
    for what in ("uncovered", "lapsed and paid after all", "to metered", "top-up paid"):
        assert counts[what] > 10, what
    assert sum(purse.refused_by_ceiling for purse in purses) > 5
    assert sum(purse.low_since is not None for purse in purses) > 3
    pots = [pot for purse in purses for pot in purse.pots.values()]
    assert sum(pot.parts["expired"] > 0 for pot in pots) > 100
    monthly = [pot for pot in pots if pot.name.startswith("spot.monthly:")]
    # A part was carried on
    assert any(pot.name.endswith(":rollover") and pot.amount < Fraction("2.5") for pot in monthly)
    assert any(0 < pot.amount < 6 for pot in monthly if not pot.name.endswith(":rollover"))
    issued = [invoice for actor in world.actors for invoice in actor.life.invoices]
    assert any(invoice.by_credit and invoice.by_balance for invoice in issued)
    # What comes back does so as money, as credit, and as both
    back = {(invoice.by_balance < 0, invoice.by_credit < 0) for invoice in issued}
    assert {(True, False), (False, True), (True, True)} <= back


async def test_balances_at_many_instants_are_those_by_hand(world: World) -> None:
    for actor in world.actors:
        seen = actor.life.purse.seen
        step = max(len(seen) // INSTANTS, 1)
        instants = [
            (moment, state)
            for (at, state), (until, _) in list(pairwise(seen))[::step]
            for moment in (at, at + (until - at) / 2)
        ]
        async with world.database.begin() as connection:
            for moment, state in instants:
                balance = await wallet_balance(connection, actor.tenant, moment)
                sums = {part: sum((parts[part] for _, parts in state), ZERO) for part in PARTS}
                assert {part: Fraction(getattr(balance, part)) for part in PARTS} == sums
                assert Fraction(balance.granted) == sum(sums.values(), ZERO)
                usable = (parts["available"] for pot, parts in state if _in_time(pot, moment))
                assert Fraction(balance.spendable) == sum(usable, ZERO)


def _in_time(pot: Pot, at: datetime) -> bool:
    return pot.starts <= at and (pot.expires is None or at < pot.expires)


async def test_each_grant_was_used_for_what_it_should_have_been(world: World) -> None:
    for actor in world.actors:
        entries, kept = await _ledger(world, actor)
        spent: defaultdict[tuple[str, str], Fraction] = defaultdict(Fraction)
        for entry in entries:
            sign = (entry["target"] == "used") - (entry["source"] == "used")
            if sign:
                key = (entry["grant_id"], _cause(entry["cause"]))
                spent[key] += sign * Fraction(entry["amount"])
        by_hand: defaultdict[tuple[str, str], Fraction] = defaultdict(Fraction)
        for pot in actor.life.purse.pots.values():
            for cause, amount in pot.spent_on.items():
                by_hand[pot.name, _cause(cause)] += amount
        assert {key: amount for key, amount in spent.items() if amount} == {
            key: amount for key, amount in by_hand.items() if amount
        }
        grants = {
            row["id"]: {part: Fraction(row[part]) for part in ("amount", *PARTS)} for row in kept
        }
        pots = actor.life.purse.pots
        assert grants == {name: pot.parts | {"amount": pot.amount} for name, pot in pots.items()}


def _cause(cause: str) -> str:
    """A call's name; all invoices alike, since they are numbered otherwise by hand."""
    return cause if cause.startswith("req_") else "an invoice"


async def test_credit_is_conserved_at_every_instant(world: World) -> None:
    """Granted is used, expired, refunded, left and reserved, after each entry of the ledger."""
    for actor in world.actors:
        entries, _ = await _ledger(world, actor)
        assert [entry["number"] for entry in entries] == list(range(1, len(entries) + 1))
        assert all(entry["at"] <= other["at"] for entry, other in pairwise(entries))
        sums: defaultdict[str, dict[str, Decimal]] = defaultdict(
            lambda: dict.fromkeys(("granted", *PARTS), Decimal(0))
        )
        for entry in entries:
            parts = sums[entry["grant_id"]]
            parts[entry["source"]] -= entry["amount"]
            parts[entry["target"]] += entry["amount"]
            assert min(parts[part] for part in PARTS) >= 0
            assert sum(parts.values()) == 0


async def test_every_invoice_is_the_one_by_hand_to_the_cent(world: World) -> None:
    for actor in world.actors:
        async with world.database.begin() as connection:
            rows = await connection.execute(
                select(invoices)
                .where(invoices.c.tenant_id == actor.tenant.id)
                .order_by(invoices.c.number)
            )
            issued = rows.mappings().all()
            paid = await connection.execute(
                select(payments).where(payments.c.tenant_id == actor.tenant.id)
            )
            by_method: defaultdict[tuple[str, str], Fraction] = defaultdict(Fraction)
            for payment in paid.mappings():
                by_method[payment["invoice_id"], payment["method"]] += Fraction(payment["amount"])
        assert [
            (
                row["period_start"],
                Fraction(row["total"]),
                by_method[row["id"], "credit"],
                by_method[row["id"], "balance"],
            )
            for row in issued
        ] == [
            (invoice.start, invoice.total, invoice.by_credit, invoice.by_balance)
            for invoice in actor.life.invoices
        ], actor.tenant.id


async def test_all_invoices_together_ask_for_what_no_credit_paid(world: World) -> None:
    """Call by call: what each came to in the end, less what the wallet paid for it."""
    for actor in world.actors:
        life = actor.life
        asked = sum((invoice.total for invoice in life.invoices), ZERO)
        owed = ZERO
        for start, end in life.periods:
            if start not in life.billed:
                continue
            lines = life.lines(start, end, datetime.max.replace(tzinfo=UTC))
            owed += sum((amount for (plan, _), amount in lines.items() if plan == "metered"), ZERO)
            uncovered, asked_again = life.beyond((start, end))
            owed += round_half_up(asked_again, life.minor)
            for name, use in life.uses.items():
                if start <= use.at < end and use.counted_at and life.prepaid(use.at):
                    held = life.purse.held.get(name)
                    uncovered += life.cost(use.model, use.quantities, use.at)
                    uncovered -= ZERO if held is None else held.used
            most = sum(
                (amount for (plan, _), amount in lines.items() if plan in {"spot", "pro"}), ZERO
            )
            owed += min(round_half_up(uncovered, life.minor), most)
        assert asked == owed, actor.tenant.id


def round_half_up(amount: Fraction, minor: int) -> Fraction:
    return Fraction((amount * 2 * minor + 1) // 2, minor)


async def test_little_left_is_on_record(world: World) -> None:
    for actor in world.actors:
        async with world.database.begin() as connection:
            query = select(wallets.c.low_since).where(wallets.c.tenant_id == actor.tenant.id)
            assert await connection.scalar(query) == actor.life.purse.low_since


async def _ledger(world: World, actor: Actor) -> tuple[list[RowMapping], list[RowMapping]]:
    tables = []
    async with world.database.begin() as connection:
        for table, order in ((ledger_entries, "number"), (credit_grants, "id")):
            query = select(table).where(table.c.tenant_id == actor.tenant.id)
            rows = await connection.execute(query.order_by(table.c[order]))
            tables.append(list(rows.mappings()))
    return tables[0], tables[1]
