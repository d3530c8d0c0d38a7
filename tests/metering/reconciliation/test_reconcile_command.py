"""``farebox reconcile``, as an operator runs it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from backend.storage.database import Database
from tests.metering.reconciliation.exports import OPENAI_USAGE_CSV, openai_usage
from tests.support.commands import run_farebox

pytestmark = pytest.mark.engine


def farebox(database_url: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "DATABASE_URL": database_url,
        "FAREBOX_HOME": str(folder / "home"),
        "COLUMNS": "300",
    }
    return run_farebox("reconcile", *arguments, environment=environment)


async def test_import_show_note_and_match(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    def run(*arguments: str) -> str:
        done = farebox(database_url, tmp_path, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert run("list") == "Nothing was imported yet.\n"
    export = tmp_path / "completions_usage.csv"
    export.write_text(OPENAI_USAGE_CSV)
    options = tmp_path / "options.yaml"
    options.write_text("models: {gpt-4o: sample-large}\ntolerance: {relative: 0.5}\n")
    output = run("import", str(export), "--provider", "openai", "--options", str(options))
    assert "Farebox has no usage of this day, model and meter." in output
    reconciliation = next(word for word in output.split() if word.startswith("rec_"))[:36]
    discrepancy = next(word for word in output.split() if word.startswith("dsc_"))
    assert "0 agree, 4 open, 0 explained, 0 accepted." in output

    again = farebox(database_url, tmp_path, "import", str(export), "--provider", "openai")
    assert again.returncode == 0  # other options, another import
    same = farebox(
        database_url,
        tmp_path,
        *("import", str(export), "--provider", "openai", "--options", str(options), "--csv"),
    )
    assert "imported before" in same.stderr
    assert same.stdout.splitlines()[1].startswith("2025-10-05,sample-large,cached_input_tokens,")
    assert "completions_usage.csv" in run("list")

    accepted = run("note", reconciliation, discrepancy, "Before our time.", "--status", "accepted")
    assert accepted.endswith(": accepted.\n")
    assert "Before our time." in run("show", reconciliation, "--status", "accepted", "--csv")
    assert "3 open, 0 explained, 1 accepted." in run("match", reconciliation)

    unsure = farebox(database_url, tmp_path, "remove", reconciliation)
    assert unsure.returncode == 1  # nobody answered
    assert "Remove completions_usage.csv of openai, 2025-10-05 to 2025-10-06?" in unsure.stdout
    assert run("remove", reconciliation, "--yes") == f"{reconciliation} is removed.\n"


@pytest.mark.parametrize(
    ("file", "options", "sentence"),
    [
        (json.dumps(openai_usage({"input_tokens": -1})), "", "results[0].input_tokens: -1 is neg"),
        (json.dumps(openai_usage({}))[:-9], "", "line 1: is not JSON: Unterminated string"),
        (OPENAI_USAGE_CSV, "time_zone: Atlantis", "time_zone: Value error, is not a time zone"),
        (OPENAI_USAGE_CSV, "[1]", "must contain options by their names"),
        (OPENAI_USAGE_CSV, "a: [", "is not YAML"),
    ],
)
def test_a_mistake_is_one_sentence(
    database_url: str, tmp_path: Path, file: str, options: str, sentence: str
) -> None:
    export, given = tmp_path / "export", tmp_path / "options.yaml"
    export.write_text(file)
    given.write_text(options)
    done = farebox(
        database_url,
        tmp_path,
        *("import", str(export), "--provider", "openai", "--options", str(given)),
    )
    assert done.returncode == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
