"""Pages of a provider's API: daily buckets of results, as both big providers answer them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from backend.metering.errors import UnreadableExport
from backend.metering.reconciliation.exports.parsing import Export, instant, members, number
from backend.pricing.money import ZERO

_PAGE = frozenset({"data", "has_more", "next_page"})


@dataclass(frozen=True, slots=True)
class PageForm:
    """What a provider calls the parts of its pages.

    ``start`` and ``end`` name the times of a bucket, ``others`` its further members but the
    results. Where ``object_name`` is given, it is what a page says that it is.
    """

    start: str
    end: str
    others: frozenset[str] = frozenset()
    object_name: str | None = None

    def results(
        self, export: Export, pages: Sequence[object], ignored: Sequence[str]
    ) -> list[tuple[str, date, object]]:
        """Return the path, the day and the content of every result, and cover their days.

        Raises ``UnreadableExport`` for pages of another form, and where more pages follow.
        """
        results: list[tuple[str, date, object]] = []
        named = frozenset() if self.object_name is None else frozenset({"object"})
        for place, page in enumerate(pages):
            at = "" if len(pages) == 1 else f"[{place}]."
            given = members(at.rstrip("."), page, _PAGE | named, ignored)
            if self.object_name is not None and given.get("object") != self.object_name:
                detail = f"{given.get('object')!r} is not {self.object_name!r}"
                raise UnreadableExport(f"{at}object", detail)
            if place == len(pages) - 1 and given.get("has_more") is not False:
                raise UnreadableExport(
                    f"{at}has_more",
                    "is not false: the export has more pages; put all of them in one array",
                )
            for number_of, bucket in enumerate(_array(f"{at}data", given.get("data"))):
                where = f"{at}data[{number_of}]"
                member_names = {self.start, self.end, "results"} | self.others | named
                parts = members(where, bucket, member_names, ignored)
                day = export.day_of(
                    f"{where}.{self.start}",
                    instant(f"{where}.{self.start}", parts.get(self.start)),
                    instant(f"{where}.{self.end}", parts.get(self.end)),
                )
                export.cover(day)
                for index, result in enumerate(_array(f"{where}.results", parts.get("results"))):
                    results.append((f"{where}.results[{index}]", day, result))
        return results


def whole_number(where: str, given: Mapping[str, object], name: str) -> Decimal:
    """Return a member that is a whole number; 0 if it is missing or null."""
    value = given.get(name)
    return ZERO if value is None else number(f"{where}.{name}", value, whole=True)


def _array(where: str, given: object) -> list[object]:
    if not isinstance(given, list):
        raise UnreadableExport(where, "is not an array")
    return given
