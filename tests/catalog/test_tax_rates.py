"""Rates of tax in the catalog: checked with their line, published, kept where they are in use."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from backend.catalog.published import apply_catalog
from backend.catalog.tax_rates import apply_taxes, tax_table
from backend.catalog.yaml_reading import load_catalog
from backend.errors import ConfigurationError, InvalidInput
from backend.storage.database import Database
from backend_client.types.taxes import CatalogTax
from tests.catalog.test_catalog_command import CATALOG, farebox
from tests.catalog.test_yaml import written
from tests.support.billing import catalog_with

TAXES = """\
taxes:
  - id: de-vat
    name: VAT
    country: DE
    percent: 19
    reverse_charge: true
    valid_from: 2021-01-01
  - id: ca-gst
    name: GST
    country: CA
    except_regions: [ON]
    percent: 5
  - id: ca-qst
    name: QST
    country: CA
    region: QC
    percent: 9.975
"""


def tax(tax_id: str = "de-vat", **changes: Any) -> CatalogTax:
    fields = {"id": tax_id, "name": "VAT", "country": "DE", "percent": "19"}
    return CatalogTax.model_validate(fields | changes)


@pytest.mark.fast
def test_rates_are_read_exactly(tmp_path: Path) -> None:
    german, federal, provincial = load_catalog(written(tmp_path, CATALOG + TAXES)).taxes
    assert (german.valid_from, german.reverse_charge) == (date(2021, 1, 1), True)
    assert (federal.percent, federal.except_regions) == (5, ["ON"])
    assert str(provincial.percent) == "9.975"
    # Norway is no "no" here
    norway = TAXES.replace("country: DE", "country: NO")
    assert load_catalog(written(tmp_path, CATALOG + norway)).taxes[0].country == "NO"


@pytest.mark.fast
def test_the_samples_are_of_the_form_that_is_read(tmp_path: Path) -> None:
    """The commented one of the catalog file, and that of the documentation."""
    root = Path(__file__).parents[2]
    whole = (root / "catalog.yaml").read_text()
    _, _, commented = whole.partition("\n# taxes:\n")
    sample = "taxes:\n" + "\n".join(line.removeprefix("# ") for line in commented.splitlines())
    [shown] = re.findall(r"```yaml\n(.*?)```", (root / "docs" / "tax.md").read_text(), re.DOTALL)
    for text_of_sample in (sample, shown):
        taxes = load_catalog(written(tmp_path, CATALOG + text_of_sample)).taxes
        assert {rate.id for rate in taxes} == {"ca-gst", "ca-qst", "de-vat"}
    assert load_catalog(root / "catalog.yaml").taxes == []


@pytest.mark.fast
@pytest.mark.parametrize(
    ("change", "to", "line", "field", "says"),
    [
        ("country: DE", "country: GR3", 10, "taxes.0.country", "should match pattern"),
        ("country: DE", "country: EL", 10, "taxes.0.country", "a country by ISO 3166-1"),
        ("percent: 19", "percent: 101", 11, "taxes.0.percent", "less than or equal to 100"),
        ("percent: 19", "percent: a lot", 11, "taxes.0.percent", "valid decimal"),
        ("    percent: 19\n", "", 8, "taxes.0.percent", "Field required"),
        ("2021-01-01", "2021-13-01", 13, "taxes.0.valid_from", "valid date"),
        ("2021-01-01", "2021", 13, "taxes.0.valid_from", "must be a day"),
        ("2021-01-01", "2021-01-01T00:00:00", 13, "taxes.0.valid_from", "must be a day"),
        (
            "valid_from: 2021-01-01",
            "valid_from: 2021-01-01\n    valid_until: 2020-12-31",
            14,
            "taxes.0.valid_until",
            "is before valid_from",
        ),
        ("region: QC", "region: Quebec", 22, "taxes.2.region", "should match pattern"),
        (
            "region: QC",
            "region: QC\n    except_regions: [ON]",
            23,
            "taxes.2.except_regions",
            "only a rate of a whole country",
        ),
        ("id: ca-qst", "id: ca-gst", 19, "taxes.2.id", "another tax has the id 'ca-gst'"),
        ("reverse_charge: true", "reverse: true", 12, "taxes.0.reverse", "Extra inputs"),
        (
            "  - id: ca-gst",
            "  - {id: again, name: VAT, country: DE, percent: 16, valid_until: 2021-01-01}\n"
            "  - id: ca-gst",
            14,
            "taxes.1",
            "it is the same tax as 'de-vat', on the same days",
        ),
    ],
)
def test_a_mistake_is_told_with_its_line(
    tmp_path: Path, change: str, to: str, line: int, field: str, says: str
) -> None:
    assert change in TAXES
    with pytest.raises(ConfigurationError) as caught:
        load_catalog(written(tmp_path, CATALOG + TAXES.replace(change, to, 1)))
    start = f"catalog.yaml, line {line}, {field}: "
    errors = caught.value.detail.splitlines()
    assert any(error.startswith(start) and says in error for error in errors), errors


@pytest.mark.fast
def test_a_tax_may_follow_itself_and_stand_beside_another() -> None:
    before = tax(valid_until="2020-12-31")
    after = tax("later", valid_from="2021-01-01")
    assert not before.doubles(after)
    assert not after.doubles(before)
    assert tax().doubles(after)
    assert not tax().doubles(tax(name="Levy"))
    assert not tax().doubles(tax(region="BE"))
    assert not tax().doubles(tax(country="AT"))


@pytest.mark.engine
async def test_check_tells_what_changes_and_apply_does_it(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "catalog.yaml"
    path.write_text(CATALOG + TAXES)
    lines = farebox(database_url, tmp_path, "--check", str(path)).stdout.splitlines()
    assert lines[1:] == [f"tax {tax_id}: would change" for tax_id in ("de-vat", "ca-gst", "ca-qst")]
    assert await published(database) == []
    farebox(database_url, tmp_path, str(path))
    assert [rate.id for rate in await published(database)] == ["de-vat", "ca-gst", "ca-qst"]

    path.write_text(CATALOG + TAXES.replace("9.975", "9.9750"))
    again = farebox(database_url, tmp_path, "--check", str(path))
    assert again.stdout == "Nothing changed: this catalog is on sale already.\n"
    path.write_text(CATALOG + TAXES.replace("9.975", "10").replace("id: ca-gst", "id: ca-fed"))
    lines = farebox(database_url, tmp_path, str(path)).stdout.splitlines()
    assert lines == ["tax ca-fed: changed", "tax ca-qst: changed", "tax ca-gst: changed"]
    assert [rate.id for rate in await published(database)] == ["de-vat", "ca-fed", "ca-qst"]


async def published(database: Database) -> list[CatalogTax]:
    async with database.begin() as connection:
        return await tax_table(connection)


async def apply(database: Database, *taxes: CatalogTax, today: str = "2026-06-15") -> list[str]:
    async with database.begin() as connection:
        return await apply_taxes(connection, taxes, date.fromisoformat(today))


async def carried(database: Database, tax_id: str, day: str) -> None:
    """An invoice of that tax date with the rate on it, as issuing leaves it."""
    async with database.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO invoices (tenant_id, id, number, kind, state, currency, period_start,"
                " period_end, time_zone, issued_at, due_at, subtotal, tax, total, taxes, tax_date,"
                " seller, customer, payment_note) VALUES ('ten_1', 'inv_' || :day, :day, 'period',"
                " 'finalized', 'USD', :moment, :moment, 'UTC', :moment, :moment, 0, 0, 0,"
                " jsonb_build_array(jsonb_build_object('rate_id', CAST(:tax_id AS text))),"
                " CAST(CAST(:day AS text) AS date), '{}', '{}', '')"
            ),
            {
                "day": day,
                "tax_id": tax_id,
                "moment": datetime.fromisoformat(day).replace(tzinfo=UTC),
            },
        )


@pytest.mark.engine
async def test_what_invoices_carry_can_only_end(database: Database) -> None:
    await apply(database, tax())
    assert await apply(database, tax(percent="16")) == ["de-vat"]  # a slip, put right in time
    assert await apply(database, tax()) == ["de-vat"]
    await carried(database, "de-vat", "2026-04-30")
    await carried(database, "de-vat", "2026-05-31")
    for change in ({"percent": "16"}, {"name": "MwSt"}, {"inclusive": True}, {"country": "AT"}):
        with pytest.raises(InvalidInput) as refused:
            await apply(database, tax("other", country="FR"), tax(**change))
        assert [error.field for error in refused.value.errors] == ["taxes.1"], change
    with pytest.raises(InvalidInput, match="give it a valid_until"):
        await apply(database)
    with pytest.raises(InvalidInput) as refused:
        await apply(database, tax(valid_until="2026-05-30"))
    assert [error.field for error in refused.value.errors] == ["taxes.0.valid_until"]
    assert [rate.percent for rate in await published(database)] == [19]

    ended = tax(valid_until="2026-06-30")
    later = tax("de-vat-21", percent="21", valid_from="2026-07-01")
    assert await apply(database, ended, later) == ["de-vat", "de-vat-21"]
    with pytest.raises(InvalidInput):  # it holds still
        await apply(database, later)
    # Once it is over the file need not have it, and what it said stays on record
    assert await apply(database, later, today="2026-07-01") == []
    assert [rate.id for rate in await published(database)] == ["de-vat-21", "de-vat"]
    with pytest.raises(InvalidInput, match="same tax as 'de-vat', which invoices carry"):
        await apply(database, tax("new", valid_from="2026-06-30"), today="2026-07-01")
    assert await apply(database, today="2026-07-01") == ["de-vat-21"]
    assert await published(database) == [ended]


@pytest.mark.engine
async def test_a_refused_rate_publishes_nothing(database: Database) -> None:
    async with database.begin() as connection:
        await apply_catalog(connection, catalog_with(taxes=[tax().model_dump(mode="json")]))
    await carried(database, "de-vat", "2026-05-31")
    wrong = catalog_with(taxes=[tax(percent="1").model_dump(mode="json")], plans=PLAN)
    with pytest.raises(InvalidInput):
        async with database.begin() as connection:
            await apply_catalog(connection, wrong)
    async with database.begin() as connection:
        plans = await connection.execute(text("SELECT count(*) FROM plan_versions"))
        assert plans.scalar_one() == 3


PLAN = [{"id": "free", "name": "Another"}]
