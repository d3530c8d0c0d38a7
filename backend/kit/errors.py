"""Why a page can't be given."""

from __future__ import annotations

from backend.errors import InvalidInput
from backend_client.types.problems import FieldError


class InvalidCursor(InvalidInput):
    """`cursor` is not the `next_cursor` of a page of this list."""

    code, title = "invalid_cursor", "The cursor is not one that this list returned"

    def __init__(self) -> None:
        where = FieldError(field="cursor", detail="use next_cursor of the previous page")
        super().__init__(errors=[where])
