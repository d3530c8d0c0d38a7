"""Each migration, up and down, with the rows of a small installation in the tables."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.invoices.drafts.late_usage import usage_marks
from backend.storage.database import Database
from tests.storage.revisions import (
    Row,
    Rows,
    columns_of,
    downgrade,
    in_order,
    install,
    revisions,
    rows_of,
    schema_of,
    upgrade,
)
from tests.support.postgres import own_database

pytestmark = pytest.mark.engine

REVISIONS = revisions()
HEAD = REVISIONS[-1]
STEPS = list(pairwise(REVISIONS))


class Walk:
    """A transaction that goes up the revisions, never committed: PostgreSQL's DDL can roll back.

    Each test works in a savepoint of it, so that most tests migrate a step and not all the way.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._at = REVISIONS[0]

    @asynccontextmanager
    async def at(self, revision: str, *, rows: bool = True) -> AsyncIterator[AsyncConnection]:
        """The database at a revision, with the small installation in it; undone at the end."""
        if self._connection.in_transaction() and self._at > revision:
            await self._connection.rollback()
        if not self._connection.in_transaction():
            await self._connection.begin()  # or Alembic would open one itself, and commit it
        await upgrade(self._connection, revision)
        self._at = revision
        savepoint = await self._connection.begin_nested()
        try:
            if rows:
                await install(self._connection, revision)
            yield self._connection
        finally:
            await savepoint.rollback()


@pytest.fixture(scope="module")
async def walk(postgres_url: str) -> AsyncIterator[Walk]:
    """A walk through a database that had no schema."""
    async with own_database(postgres_url, "template0") as url:
        database = Database(url, pool_size=1)
        async with database.engine.connect() as connection:
            yield Walk(connection)
        await database.close()


# What a migration does to rows, beside what its new or dropped columns say: from the rows before
# it (or, going down, after it) to the rows that are expected then.
Change = Callable[[Rows], None]


def _added_up_without(column: str, *tables: str) -> Change:
    def change(rows: Rows) -> None:
        for table in tables:
            sums: dict[tuple[object, ...], Row] = {}
            for row in rows[table]:
                rest = {name: value for name, value in row.items() if name != column}
                summed = {"quantity", "event_count", "amount"}
                key = tuple(str(rest[name]) for name in sorted(rest) if name not in summed)
                if key in sums:
                    for name in summed & set(rest):
                        added = [each[name] for each in (sums[key], rest) if each[name] is not None]
                        sums[key][name] = sum(added) if added else None
                else:
                    sums[key] = rest
            rows[table] = list(sums.values())

    return change


def _restored_archives_are_forgotten(rows: Rows) -> None:
    rows["event_archives"] = [row for row in rows["event_archives"] if not row["restored_at"]]


def _limits_of_plans_are_forgotten(rows: Rows) -> None:
    for table in ("key_windows", "key_calls"):
        rows[table] = [row for row in rows[table] if row["key_id"]]


def _acts_on_no_tenant_are_forgotten(rows: Rows) -> None:
    rows["audit_entries"] = [row for row in rows["audit_entries"] if row["tenant_id"]]


def _operator_keys_of_fewer_scopes_are_revoked(rows: Rows) -> None:
    for row in rows["operator_keys"]:
        if len(row["scopes"]) < 4 and row["revoked_at"] is None:
            row["revoked_at"] = row["last_used_at"]


def _disabled_keys_are_revoked(rows: Rows) -> None:
    for row in rows["api_keys"]:
        row["revoked_at"] = row["revoked_at"] or row["disabled_at"]


def _own_versions_are_what_they_were_made_of(rows: Rows) -> None:
    own = {row["version"]: row["base_version"] for row in rows["plan_versions"]}
    rows["plan_versions"] = [row for row in rows["plan_versions"] if row["agreed_with"] is None]
    for row in rows["subscriptions"]:
        row["plan_version"] = own[row["plan_version"]] or row["plan_version"]


def _spell(old: str, new: str) -> Change:
    def change(rows: Rows) -> None:
        for table, column in (
            ("invoices", "state"),
            ("notifications", "kind"),
            ("audit_entries", "action"),
        ):
            for row in rows.get(table, []):
                row[column] = row[column].replace(old, new)

    return change


def _unchanged(_rows: Rows) -> None:
    """Keep every row as it is."""


CHANGES_UP: dict[str, Change] = {"0020": _spell("finalise", "finalize")}


def _keys_with_addresses_are_disabled(rows: Rows) -> None:
    for key in rows["api_keys"]:
        if key["addresses"] is not None:
            key["disabled_at"] = key["disabled_at"] or key["created_at"]


def _disabled_upstreams_serve_nothing(rows: Rows) -> None:
    for upstream in rows["upstreams"]:
        if upstream["state"] != "active":
            upstream["terms"] = {**upstream["terms"], "models": {}}


CHANGES_DOWN: dict[str, Change] = {
    "0088": _disabled_upstreams_serve_nothing,
    "0003": _added_up_without("labels", "rollups"),
    "0016": _restored_archives_are_forgotten,
    "0017": _limits_of_plans_are_forgotten,
    "0020": _spell("finalize", "finalise"),
    "0023": _acts_on_no_tenant_are_forgotten,
    "0028": _disabled_keys_are_revoked,
    "0024": _operator_keys_of_fewer_scopes_are_revoked,
    "0025": _added_up_without("upstream", "rollups", "daily_rollups"),
    "0031": _added_up_without("tier", "provider_entries"),
    "0079": _keys_with_addresses_are_disabled,
    "0033": _own_versions_are_what_they_were_made_of,
}


def expect_rows(after: Rows, before: Rows) -> None:
    """Every row of the tables that were there before is there after, in each column of both."""
    for table in before.keys() & after.keys():
        common = set.intersection(*(set(row) for row in before[table] + after[table]))
        assert _narrowed(after[table], common) == _narrowed(before[table], common), table


def _narrowed(rows: list[Row], columns: set[str]) -> list[Row]:
    return in_order([{name: row[name] for name in columns} for row in rows])


async def test_the_installation_has_every_table_and_column(walk: Walk) -> None:
    async with walk.at(HEAD) as connection:
        rows = await rows_of(connection)
        missing = {
            f"{table}.{column}"
            for table, columns in (await columns_of(connection)).items()
            for column in columns
            if all(row[column] is None for row in rows[table])
        }
    assert missing == set()


@pytest.mark.parametrize("revision", REVISIONS[:-1])
async def test_rows_of_any_revision_reach_the_head(walk: Walk, revision: str) -> None:
    async with walk.at(revision) as connection:
        expected = await rows_of(connection)
        await upgrade(connection, HEAD)
        for later in REVISIONS[REVISIONS.index(revision) + 1 :]:
            CHANGES_UP.get(later, _unchanged)(expected)
        expect_rows(await rows_of(connection), expected)


@pytest.mark.parametrize(("earlier", "revision"), STEPS)
async def test_each_migration_goes_down_and_up_again_with_rows(
    walk: Walk, earlier: str, revision: str
) -> None:
    async with walk.at(earlier, rows=False) as connection:
        schema_before = await schema_of(connection)
    async with walk.at(revision) as connection:
        schema_after = await schema_of(connection)
        expected = await rows_of(connection)

        await downgrade(connection, earlier)
        assert await schema_of(connection) == schema_before
        CHANGES_DOWN.get(revision, _unchanged)(expected)
        remaining = await rows_of(connection)
        expect_rows(remaining, expected)

        await upgrade(connection, revision)
        assert await schema_of(connection) == schema_after
        CHANGES_UP.get(revision, _unchanged)(remaining)
        expect_rows(await rows_of(connection), remaining)


async def test_all_the_way_down_and_up_again_is_a_fresh_head(walk: Walk) -> None:
    async with walk.at(HEAD) as connection:
        fresh = await schema_of(connection)
        await downgrade(connection, "base")
        assert await columns_of(connection) == {}
        await upgrade(connection, HEAD)
        assert await schema_of(connection) == fresh


async def test_days_are_filled_from_quarter_hours(walk: Walk) -> None:
    async with walk.at("0009") as connection:
        await upgrade(connection, "0010")
        filled = (await rows_of(connection))["daily_rollups"]
        await connection.execute(text("DELETE FROM daily_rollups"))
        await install(connection, "0010", only="daily_rollups")
        assert filled == (await rows_of(connection))["daily_rollups"]


async def test_who_has_labels_may_have_had_others_before(walk: Walk) -> None:
    async with walk.at("0015") as connection:
        await upgrade(connection, "0016")
        versions = (await rows_of(connection))["usage_versions"]
    assert [row["tenant_id"] for row in versions if row["labels_changed_at"]] == ["ten_berlin"]


async def test_below_operators_by_group_nobody_stays_one_and_no_address_is_open_to_others(
    walk: Walk,
) -> None:
    """What says for whom an invitation is, and what asks for the group anew, goes with 0033."""
    async with walk.at("0033") as connection:
        for statement in (
            """
            INSERT INTO users (id, issuer, subject, name, email, email_verified, is_operator)
            VALUES ('group', 'https://id', 'ada', 'Ada', 'ada@example.org', true, true),
                ('subject', 'https://id', 'cleo', 'Cleo', NULL, false, false),
                ('email', 'https://id', 'dan', 'Dan', 'dan@example.org', true, false),
                ('unverified', 'https://id', 'eve', 'Eve', 'eve@example.org', false, false)
            """,
            """
            INSERT INTO operator_grants (id, issuer, subject, email)
            VALUES ('opg_3', 'https://id', 'cleo', NULL), ('opg_4', NULL, NULL, 'Dan@example.org'),
                ('opg_5', NULL, NULL, 'eve@example.org')
            """,
            """
            INSERT INTO invitations
                (tenant_id, id, secret_hash, role, note, email, created_by, expires_at)
            VALUES
                ('ten_berlin', 'hers', 'a', 'owner', '', 'ada@example.org', 'usr_ada', 'infinity'),
                ('ten_berlin', 'any', 'b', 'owner', '', NULL, 'usr_ada', 'infinity')
            """,
        ):
            await connection.execute(text(statement))
        await downgrade(connection, "0032")
        rows = await rows_of(connection)
    operators = {row["id"] for row in rows["users"] if row["is_operator"]}
    assert operators == {"usr_ada", "subject", "email"}
    assert [row["id"] for row in rows["invitations"] if row["revoked_at"] is None] == [
        "ivt_1",
        "any",
    ]


async def test_below_one_off_invoices_none_is_taken_off_the_invoice_of_its_period(
    walk: Walk,
) -> None:
    """As progressive invoices are, by the period that they begin with."""
    async with walk.at("0045") as connection:
        await connection.execute(
            text(
                """
                INSERT INTO invoices (tenant_id, id, number, kind, state, currency, period_start,
                    period_end, time_zone, issued_at, due_at, subtotal, tax, total, taxes, seller,
                    customer, payment_note, paid, credited)
                SELECT tenant_id, 'inv_' || aside, 'INV-' || aside, aside, 'draft', currency,
                    '2025-11-01', '2025-12-01', time_zone, issued_at, due_at, subtotal, tax, total,
                    taxes, seller, customer, payment_note, 0, 0
                FROM invoices, unnest(ARRAY['one_off', 'reversal']) AS aside WHERE id = 'inv_3'
                """
            )
        )
        await downgrade(connection, "0044")
        rows = {row["id"]: row for row in (await rows_of(connection))["invoices"]}
    issued = rows["inv_3"]["issued_at"]
    for aside in ("inv_one_off", "inv_reversal"):
        assert (rows[aside]["kind"], rows[aside]["period_start"]) == ("progressive", issued)
        assert rows[aside]["period_end"] == "2025-12-01T00:00:00+00:00"


async def test_no_archive_is_forgotten_while_its_events_are_away(walk: Walk) -> None:
    async with walk.at("0016") as connection:
        await connection.execute(text("UPDATE event_archives SET restored_at = NULL"))
        with pytest.raises(IntegrityError, match="pk_event_archives"):
            await downgrade(connection, "0015")


async def test_what_is_stored_names_no_upstream_and_its_marks_stay(walk: Walk) -> None:
    """Marks that changed with the schema would have every period of every tenant rated again."""
    window = ("ten_berlin", datetime(2025, 10, 1, tzinfo=UTC), datetime(2025, 11, 1, tzinfo=UTC))
    async with walk.at("0022") as connection:
        before = await connection.scalar(
            text(
                """
                SELECT sum(hash_record_extended(rollups.*, 0)::numeric)::text FROM rollups
                WHERE tenant_id = :tenant AND bucket >= :start AND bucket < :end
                """
            ),
            dict(zip(("tenant", "start", "end"), window, strict=True)),
        )
        await upgrade(connection, HEAD)
        rows = await rows_of(connection)
        for table in ("events", "rollups", "daily_rollups"):
            assert {row["upstream"] for row in rows[table]} == {""}
        [mark] = (await usage_marks(connection, [window])).values()
        assert mark.split()[0] == before
