"""The catalog file: read exactly, and mistakes told with their line."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.catalog.yaml_reading import load_catalog, parse_catalog
from backend.catalog.yaml_writing import catalog_as_yaml
from backend.errors import ConfigurationError, InvalidInput, MalformedRequest
from backend_client.types.catalog import Catalog
from backend_client.types.plans import PlanDefinition
from tests.pricing.strategies import plans

pytestmark = pytest.mark.fast

GOOD = """\
version: 1
default_plan: basic
models:
  - id: large
    name: Large
    context_window: 128_000
    max_output_tokens: 4096
    tokenizer: tiktoken:o200k_base
plans:
  - id: basic
    name: Basic
    charges:
      - id: input
        name: Input
        kind: per_unit
        meters: [input_tokens]
        models: [large]
        price: 0.1
      - id: output
        name: Output
        kind: graduated
        meters: [output_tokens]
        tiers:
          - {up_to: 10, price: 0.123456789012}
          - {up_to: null, price: 1e-7}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "catalog.yaml"
    path.write_text(text)
    return path


def test_the_catalog_of_this_repository_is_good() -> None:
    catalog = load_catalog(Path(__file__).parents[2] / "catalog.yaml")
    assert catalog.default_plan == "free"
    presets = ["free", "pay-as-you-go", "growth", "growth-yearly", "prepaid", "enterprise"]
    assert [plan.id for plan in catalog.plans] == presets
    assert all("Sample" in model.name for model in catalog.models if "sample" in model.id)


def test_numbers_are_the_decimals_that_are_written(tmp_path: Path) -> None:
    charges = load_catalog(written(tmp_path, GOOD)).plans[0].charges
    assert charges[0].price == Decimal("0.1")
    assert [tier.price for tier in charges[1].tiers] == [
        Decimal("0.123456789012"),
        Decimal("0.0000001"),
    ]


def test_words_that_other_yaml_readers_take_for_something_else_stay_words(tmp_path: Path) -> None:
    text = GOOD.replace("name: Large", "name: no").replace("name: Basic", "name: 12:30:45")
    catalog = load_catalog(written(tmp_path, text))
    assert (catalog.models[0].name, catalog.plans[0].name) == ("no", "12:30:45")


INPUT, OUTPUT = "plans.0.charges.0", "plans.0.charges.1"


@pytest.mark.parametrize(
    ("change", "to", "line", "field", "says"),
    [
        ("price: 0.1\n", "price: -1\n", 18, f"{INPUT}.price", "greater than or equal to 0"),
        ("price: 0.1\n", "price: cheap\n", 18, f"{INPUT}.price", "should be a valid decimal"),
        ("price: 0.1\n", "price: .inf\n", 18, f"{INPUT}.price", "should be a valid decimal"),
        ("price: 0.1\n", f"price: 0.{'1' * 13}\n", 18, f"{INPUT}.price", "12 decimal places"),
        ("price: 0.1\n", "prize: 0.1\n", 18, f"{INPUT}.prize", "Extra inputs are not permitted"),
        ("price: 0.1\n", "prize: 0.1\n", 13, f"{INPUT}.price", "Field required"),
        ("kind: per_unit", "kind: per_seat", 13, INPUT, "Input tag 'per_seat'"),
        ("up_to: null", "up_to: 20", 25, f"{OUTPUT}.tiers.1.up_to", "must have no up_to"),
        ("up_to: 10,", "up_to: 0,", 24, f"{OUTPUT}.tiers.0.up_to", "up_to must be above 0"),
        ("id: output", "id: input", 19, f"{OUTPUT}.id", "another charge has the id 'input'"),
        ("models: [large]", "models: [huge]", 17, f"{INPUT}.models.0", "no model 'huge' in this"),
        ("models: [large]", "models: []", 17, f"{INPUT}.models", "at least 1 item"),
        (
            "Basic\n",
            "Basic\n    models: [huge]\n",
            12,
            "plans.0.models.0",
            "no model 'huge' in this",
        ),
        ("Basic\n", "Basic\n    features: [a, a]\n", 12, "plans.0.features.1", "given twice"),
        (
            "Basic\n",
            "Basic\n    limits: {requests_per_minute: 0}\n",
            12,
            "plans.0.limits.requests_per_minute",
            "greater than or equal to 1",
        ),
        ("plan: basic", "plan: gold", 2, "default_plan", "no plan 'gold' in this catalog"),
        ("version: 1", "version: 2", 1, "version", "Input should be 1"),
        (GOOD, "just words", 1, "the file", "should be a valid dictionary"),
    ],
)
def test_a_mistake_is_told_with_its_line(
    tmp_path: Path, change: str, to: str, line: int, field: str, says: str
) -> None:
    assert change in GOOD
    with pytest.raises(ConfigurationError) as caught:
        load_catalog(written(tmp_path, GOOD.replace(change, to, 1)))
    sentences = caught.value.detail.splitlines()
    start = f"catalog.yaml, line {line}, {field}: "
    assert any(sentence.startswith(start) and says in sentence for sentence in sentences)


def test_a_price_for_a_model_that_the_plan_does_not_allow_is_told(tmp_path: Path) -> None:
    models = GOOD[GOOD.index("  - id: large") : GOOD.index("plans:")]
    text = GOOD.replace("plans:", models.replace("large", "small") + "plans:", 1)
    text = text.replace("name: Basic\n", "name: Basic\n    models: [small]\n")
    with pytest.raises(ConfigurationError, match=r"line 23, .*does not allow the model 'large'"):
        load_catalog(written(tmp_path, text))


def test_two_charges_for_the_same_thing_are_told(tmp_path: Path) -> None:
    text = GOOD.replace("[output_tokens]", "[output_tokens, input_tokens]\n        models: [large]")
    with pytest.raises(
        ConfigurationError, match=r"line 19, .*'input' prices input_tokens of large"
    ):
        load_catalog(written(tmp_path, text))


@pytest.mark.parametrize(
    ("change", "to", "says"),
    [
        ("name: Basic", "name: Basic\n    name: Again", "line 12: the key 'name' is given twice"),
        ("name: Basic", "name: [", "line 13: did not find expected node content"),
        ("name: Basic", "name: !!python/name:os.system", "line 11: could not determine"),
        (GOOD, "", "is empty"),
    ],
)
def test_what_is_not_yaml_is_told_with_its_line(
    tmp_path: Path, change: str, to: str, says: str
) -> None:
    assert change in GOOD
    with pytest.raises(ConfigurationError) as caught:
        load_catalog(written(tmp_path, GOOD.replace(change, to, 1)))
    assert says in caught.value.detail


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("price: 0.1\n", "price: -1\n").replace("context_window: 128_000", "")
    with pytest.raises(ConfigurationError) as caught:
        load_catalog(written(tmp_path, text))
    assert {error.field for error in caught.value.errors} == {
        "models.0.context_window",
        "plans.0.charges.0.price",
    }


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.yaml can't be read"):
        load_catalog(tmp_path / "nowhere.yaml")


def test_json_is_read_exactly_too() -> None:
    body = b"""{"version": 1, "default_plan": "p", "models": [], "plans": [{"id": "p", "name": "P",
        "charges": [{"id": "c", "name": "C", "kind": "per_unit", "meters": ["requests"],
        "price": 12345678901.123456789012}]}]}"""
    (charge,) = parse_catalog(body).plans[0].charges
    assert charge.price == Decimal("12345678901.123456789012")


def test_wrong_json_is_refused_with_its_fields() -> None:
    for body in (b"{", b"[" * 100_000, b"\xff"):
        with pytest.raises(MalformedRequest):
            parse_catalog(body)
    with pytest.raises(InvalidInput) as caught:
        parse_catalog(b'{"version": 1, "default_plan": "p", "models": [], "plans": []}')
    assert [error.field for error in caught.value.errors] == ["default_plan"]


def test_a_written_catalog_reads_back_the_same(tmp_path: Path) -> None:
    whole = load_catalog(Path(__file__).parents[2] / "catalog.yaml")
    text = catalog_as_yaml(whole)
    assert load_catalog(written(tmp_path, text)) == whole
    assert "description: ''" not in text  # what goes without saying is not said


def test_a_pool_of_nothing_reads_back_as_one(tmp_path: Path) -> None:
    pool = "    pools: [{id: none, name: Nothing, charges: [input], quantity: 0}]\n"
    catalog = load_catalog(
        written(tmp_path, GOOD.replace("    charges:\n", pool + "    charges:\n"))
    )
    assert catalog.plans[0].pools[0].quantity == 0
    assert load_catalog(written(tmp_path, catalog_as_yaml(catalog))) == catalog


words = st.sampled_from(["no", "1e5", "0x1F", "12:30", "1_000", "~", "null", "true", ".5", "on"])
words |= st.text(min_size=1, max_size=40).filter(str.isprintable)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(word=words, price=st.decimals(0, 10**9, places=12), plan=plans())
def test_any_catalog_reads_back_the_same(word: str, price: Decimal, plan: PlanDefinition) -> None:
    """Whatever words look like to a reader of YAML, and to the last digit."""
    charge = {
        "id": "one",
        "name": word,
        "kind": "per_unit",
        "meters": ["m"],
        "price": price,
        "labels": {"region": word},
    }
    model = {
        "id": "large",
        "name": word,
        "description": word,
        "context_window": 1,
        "max_output_tokens": 1,
        "tokenizer": "upstream",
    }
    named = {"id": "named", "name": word, "charges": [charge]}
    catalog = Catalog.model_validate(
        {
            "version": 1,
            "default_plan": "named",
            "models": [model | {"id": name} for name in ("large", "small", "other")],
            "plans": [named, plan],
        }
    )
    with TemporaryDirectory() as folder:
        assert load_catalog(written(Path(folder), catalog_as_yaml(catalog))) == catalog
