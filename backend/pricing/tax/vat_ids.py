"""VAT ids by their form: the pattern of each country, and its check digits where these are public.

Patterns are those of the European Commission's VIES (its FAQ, question 11), and of Britain, Norway
and Switzerland. Check digits are left out where a country has no rule or publishes none. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

Check = Callable[[str], bool]

_PREFIXES: Final = {"GR": "EL"}
"""Countries whose ids begin with other letters than their ISO code."""


class _Form(NamedTuple):
    pattern: str
    check: Check = lambda _: True


def vat_prefix(country: str) -> str | None:
    """Return what VAT ids of a country begin with; None where none are known here."""
    prefix = _PREFIXES.get(country, country)
    return prefix if prefix in _FORMS else None


def compact(vat_id: str) -> str:
    """Return an id as offices write it: capitals and digits, nothing between them."""
    return re.sub(r"[\s.\-/]", "", vat_id).upper()


def fault_of(vat_id: str, country: str) -> str | None:
    """Return what is wrong with a VAT id of a country, as the rest of a sentence; None if nothing.

    Countries whose form is not known here have no faulty ids.
    """
    prefix = vat_prefix(country)
    if prefix is None:
        return None
    number = compact(vat_id)
    if not number.startswith(prefix) and not (country == "GB" and number.startswith("XI")):
        return f"is no VAT id of {country}: it begins with {prefix}"
    form = _FORMS[prefix]
    bare = number[2:]
    if re.fullmatch(form.pattern, bare, re.ASCII) is None:
        return f"has not the form of a VAT id of {country}"
    return None if form.check(bare) else "has wrong check digits"


def _digits(text: str) -> list[int]:
    return [int(letter) for letter in text]


def _weighted(text: str, weights: Sequence[int]) -> int:
    return sum(digit * weight for digit, weight in zip(_digits(text), weights, strict=False))


def _luhn(text: str) -> bool:
    doubled = [sum(divmod(2 * digit, 10)) for digit in _digits(text[-2::-2])]
    return (sum(doubled) + sum(_digits(text[::-2]))) % 10 == 0


def _iso_7064(text: str) -> bool:
    """ISO/IEC 7064, MOD 11,10."""
    product = 10
    for digit in _digits(text[:-1]):
        product = ((digit + product) % 10 or 10) * 2 % 11
    return (product + int(text[-1])) % 10 == 1


def _austria(text: str) -> bool:
    *first, last = _digits(text[1:])
    doubled = [sum(divmod(2 * digit, 10)) for digit in first[1::2]]
    return (96 - sum(first[::2]) - sum(doubled)) % 10 == last


def _belgium(text: str) -> bool:
    return 97 - int(text[:8]) % 97 == int(text[8:])


def _bulgaria(text: str) -> bool:
    if len(text) != 9:
        return True  # of persons, by several rules
    check = _weighted(text[:8], range(1, 9)) % 11
    if check == 10:
        check = _weighted(text[:8], range(3, 11)) % 11 % 10
    return check == int(text[8])


def _cyprus(text: str) -> bool:
    odd = {0: 1, 1: 0, 2: 5, 3: 7, 4: 9, 5: 13, 6: 15, 7: 17, 8: 19, 9: 21}
    digits = _digits(text[:8])
    total = sum(odd[digit] for digit in digits[::2]) + sum(digits[1::2])
    return chr(ord("A") + total % 26) == text[8]


def _czechia(text: str) -> bool:
    if len(text) != 8 or text[0] == "9":
        return True  # of persons, by several rules
    return (11 - _weighted(text[:7], range(8, 1, -1)) % 11) % 10 == int(text[7])


def _estonia(text: str) -> bool:
    return _weighted(text, (3, 7, 1, 3, 7, 1, 3, 7, 1)) % 10 == 0


def _greece(text: str) -> bool:
    return _weighted(text[:8], [2**power for power in range(8, 0, -1)]) % 11 % 10 == int(text[8])


def _spain(text: str) -> bool:
    letters = "TRWAGMYFPDXBNJZSQVHLCKE"
    person = text.translate(str.maketrans("XYZ", "012")) if text[0] in "XYZ" else text
    if person[:8].isdigit():
        return letters[int(person[:8]) % 23] == text[8]
    if text[0] in "KLM":
        return letters[int(text[1:8]) % 23] == text[8]
    doubled = [sum(divmod(2 * digit, 10)) for digit in _digits(text[1:8:2])]
    check = -(sum(doubled) + sum(_digits(text[2:8:2]))) % 10
    return text[8] in {str(check), "JABCDEFGHI"[check]}


def _finland(text: str) -> bool:
    return _weighted(text, (7, 9, 10, 5, 8, 4, 2, 1)) % 11 == 0


def _france(text: str) -> bool:
    if not text[:2].isdigit():
        return True  # a newer key, by a rule of its own
    return (12 + 3 * (int(text[2:]) % 97)) % 97 == int(text[:2])


def _hungary(text: str) -> bool:
    return _weighted(text, (9, 7, 3, 1, 9, 7, 3, 1)) % 10 == 0


def _ireland(text: str) -> bool:
    letters = "WABCDEFGHIJKLMNOPQRSTUV"
    if not text[1].isdigit():  # the old form, with a letter as its second
        text = f"0{text[2:7]}{text[0]}{text[7]}"
    more = letters.find(text[8]) * 9 if len(text) > 8 else 0
    return letters[(_weighted(text[:7], range(8, 1, -1)) + more) % 23] == text[7]


def _lithuania(text: str) -> bool:
    places = len(text) - 1
    check = _weighted(text[:-1], [1 + place % 9 for place in range(places)]) % 11
    if check == 10:
        check = _weighted(text[:-1], [1 + (place + 2) % 9 for place in range(places)]) % 11
    return check % 10 == int(text[-1])


def _luxembourg(text: str) -> bool:
    return int(text[:6]) % 89 == int(text[6:])


def _latvia(text: str) -> bool:
    if text[0] <= "3":
        return True  # of persons, by a date
    return _weighted(text, (9, 1, 4, 8, 3, 10, 2, 5, 7, 6, 1)) % 11 == 3


def _malta(text: str) -> bool:
    return _weighted(text, (3, 4, 6, 7, 8, 9, 10, 1)) % 37 == 0


def _netherlands(text: str) -> bool:
    if _weighted(text[:8], range(9, 1, -1)) % 11 == int(text[8]):
        return True
    # Of persons since 2020, by ISO/IEC 7064, MOD 97-10
    return int("".join(str(int(letter, 36)) for letter in f"NL{text}")) % 97 == 1


def _poland(text: str) -> bool:
    return _weighted(text[:9], (6, 5, 7, 2, 3, 4, 5, 6, 7)) % 11 == int(text[9])


def _portugal(text: str) -> bool:
    return (11 - _weighted(text[:8], range(9, 1, -1)) % 11) % 11 % 10 == int(text[8])


def _romania(text: str) -> bool:
    padded = text.zfill(10)
    return _weighted(padded, (7, 5, 3, 2, 1, 7, 5, 3, 2)) * 10 % 11 % 10 == int(padded[9])


def _slovenia(text: str) -> bool:
    check = 11 - _weighted(text[:7], range(8, 1, -1)) % 11
    return check != 11 and check % 10 == int(text[7])


def _britain(text: str) -> bool:
    if text[0] in "GH":
        return True  # of government and health, without check digits
    total = _weighted(text[:7], range(8, 1, -1)) + int(text[7:9])
    return total % 97 == 0 or (total + 55) % 97 == 0


def _switzerland(text: str) -> bool:
    check = (11 - _weighted(text[1:9], (5, 4, 3, 2, 7, 6, 5, 4)) % 11) % 11
    return check == int(text[9])


def _norway(text: str) -> bool:
    return _weighted(text, (3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0


_BRITISH: Final = _Form(r"\d{9}(\d{3})?|GD[0-4]\d\d|HA[5-9]\d\d", _britain)
_FORMS: Final[Mapping[str, _Form]] = {
    "AT": _Form(r"U\d{8}", _austria),
    "BE": _Form(r"[01]\d{9}", _belgium),
    "BG": _Form(r"\d{9,10}", _bulgaria),
    "CH": _Form(r"E\d{9}(MWST|TVA|IVA)?", _switzerland),
    "CY": _Form(r"\d{8}[A-Z]", _cyprus),
    "CZ": _Form(r"\d{8,10}", _czechia),
    "DE": _Form(r"[1-9]\d{8}", _iso_7064),
    "DK": _Form(r"\d{8}", lambda text: _weighted(text, (2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0),
    "EE": _Form(r"\d{9}", _estonia),
    "EL": _Form(r"\d{9}", _greece),
    "ES": _Form(r"[A-Z0-9]\d{7}[A-Z0-9]", _spain),
    "FI": _Form(r"\d{8}", _finland),
    "FR": _Form(r"[0-9A-HJ-NP-Z]{2}\d{9}", _france),
    "GB": _BRITISH,
    "HR": _Form(r"\d{11}", _iso_7064),
    "HU": _Form(r"\d{8}", _hungary),
    "IE": _Form(r"\d{7}[A-W][A-I]?|\d[A-Z+*]\d{5}[A-W]", _ireland),
    "IT": _Form(r"\d{11}", _luhn),
    "LT": _Form(r"\d{9}|\d{12}", _lithuania),
    "LU": _Form(r"\d{8}", _luxembourg),
    "LV": _Form(r"\d{11}", _latvia),
    "MT": _Form(r"\d{8}", _malta),
    "NL": _Form(r"\d{9}B\d\d", _netherlands),
    "NO": _Form(r"\d{9}(MVA)?", lambda text: _norway(text[:9])),
    "PL": _Form(r"\d{10}", _poland),
    "PT": _Form(r"[1-9]\d{8}", _portugal),
    "RO": _Form(r"[1-9]\d{1,9}", _romania),
    "SE": _Form(r"\d{10}01", lambda text: _luhn(text[:10])),
    "SI": _Form(r"[1-9]\d{7}", _slovenia),
    "SK": _Form(r"[1-9]\d{9}", lambda text: int(text) % 11 == 0),
    "XI": _BRITISH,
}

VIES_PREFIXES: Final = frozenset(_FORMS) - {"CH", "GB", "NO"}
"""Those of the European Union, and of Northern Ireland: what VIES answers for."""
