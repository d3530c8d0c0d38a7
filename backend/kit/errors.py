"""Why a page can't be given, or a secret kept."""

from __future__ import annotations

from backend.errors import Conflict, InvalidInput
from backend_client.types.problems import FieldError


class InvalidCursor(InvalidInput):
    """`cursor` is not the `next_cursor` of a page of this list."""

    code, title = "invalid_cursor", "The cursor is not one that this list returned"

    def __init__(self) -> None:
        where = FieldError(field="cursor", detail="use next_cursor of the previous page")
        super().__init__(errors=[where])


class SecretsKeyMissing(Conflict):
    """The operator sets `FAREBOX_SECRETS_KEY`, or names the variable that has an upstream's key."""

    code, title = "secrets_key_missing", "There is nothing to seal a secret with"
