"""The functions that calls are held and settled by, in SQL: a file for each, and each revision.

The newest file of a function is what the database has. A change is a new file, copied from the last
and named by the migration that installs it; the one before is what that goes back to.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent


def definition(name: str, revision: str) -> str:
    """Return the statement that makes a function as it is from a revision on."""
    return (FOLDER / name / f"{revision}.sql").read_text()
