"""Journal entries in the DATEV format, "Buchungsstapel", version 13.

The format is public: developer.datev.de, "DATEV-Format". One line books an amount from an account
to its contra account, so an entry's main account has no line of its own. Text is in quotation
marks, lines end in CR and LF, and the file is in Windows-1252.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

from backend.accounting.errors import JournalNotExpressible
from backend.accounting.rules.journals import Journal, JournalLine
from backend.pricing.money import minor_digits
from backend_client.types.journals import DatevDetails, JournalForms

_VERSION: Final = 13
_MOST_TEXT: Final = 60
_MOST_NAME: Final = 30
_MOST_REFERENCE: Final = 36

_COLUMNS: Final = (
    *("Umsatz (ohne Soll/Haben-Kz)", "Soll/Haben-Kennzeichen", "WKZ Umsatz", "Kurs"),
    *("Basis-Umsatz", "WKZ Basis-Umsatz", "Konto", "Gegenkonto (ohne BU-Schlüssel)"),
    *("BU-Schlüssel", "Belegdatum", "Belegfeld 1", "Belegfeld 2", "Skonto", "Buchungstext"),
    *("Postensperre", "Diverse Adressnummer", "Geschäftspartnerbank", "Sachverhalt"),
    *("Zinssperre", "Beleglink"),
    *(f"Beleginfo - {part} {n}" for n in range(1, 9) for part in ("Art", "Inhalt")),
    *("KOST1 - Kostenstelle", "KOST2 - Kostenstelle", "Kost-Menge"),
    *("EU-Land u. UStID (Bestimmung)", "EU-Steuersatz (Bestimmung)", "Abw. Versteuerungsart"),
    *("Sachverhalt L+L", "Funktionsergänzung L+L", "BU 49 Hauptfunktionstyp"),
    *("BU 49 Hauptfunktionsnummer", "BU 49 Funktionsergänzung"),
    *(f"Zusatzinformation{part} {n}" for n in range(1, 21) for part in (" - Art", "- Inhalt")),
    *("Stück", "Gewicht", "Zahlweise", "Forderungsart", "Veranlagungsjahr"),
    *("Zugeordnete Fälligkeit", "Skontotyp", "Auftragsnummer", "Buchungstyp"),
    *("USt-Schlüssel (Anzahlungen)", "EU-Land (Anzahlungen)", "Sachverhalt L+L (Anzahlungen)"),
    *("EU-Steuersatz (Anzahlungen)", "Erlöskonto (Anzahlungen)", "Herkunft-Kz", "Buchungs GUID"),
    *("KOST-Datum", "SEPA-Mandatsreferenz", "Skontosperre", "Gesellschaftername"),
    *("Beteiligtennummer", "Identifikationsnummer", "Zeichnernummer", "Postensperre bis"),
    *("Bezeichnung SoBil-Sachverhalt", "Kennzeichen SoBil-Buchung", "Festschreibung"),
    *("Leistungsdatum", "Datum Zuord. Steuerperiode", "Fälligkeit", "Generalumkehr (GU)"),
    *("Steuersatz", "Land", "Abrechnungsreferenz", "BVV-Position"),
    *("EU-Land u. UStID (Ursprung)", "EU-Steuersatz (Ursprung)", "Abw. Skontokonto"),
)
"""The names of the 125 columns, in their order."""


def datev_file(entries: Sequence[Journal], forms: JournalForms, fields: Mapping[str, str]) -> bytes:
    """Write entries of one currency and fiscal year for DATEV.

    ``fields`` says in which field each account is set. Raises ``InvalidInput`` where ``forms`` lack
    what the head needs, an account is no number of DATEV's, or the currency has no cents.
    """
    details = forms.datev
    if details is None:
        raise JournalNotExpressible.of_field("datev", "is needed for DATEV: consultant and client")
    _check(entries, details, fields)
    lines = [
        _head(entries, details),
        ";".join(_COLUMNS),
        *(
            _line(entry, line)
            for entry in entries
            for line in entry.lines
            if line.account != entry.main
        ),
    ]
    return "".join(f"{line}\r\n" for line in lines).encode("cp1252", errors="replace")


def _check(entries: Sequence[Journal], details: DatevDetails, fields: Mapping[str, str]) -> None:
    currencies = sorted({entry.currency for entry in entries})
    if not currencies:
        raise JournalNotExpressible("There is nothing to book, and DATEV reads no empty file.")
    if len(currencies) > 1:
        names = ", ".join(currencies)
        raise JournalNotExpressible(f"A DATEV file has one currency: choose one of {names}.")
    if minor_digits(currencies[0]) != 2:
        raise JournalNotExpressible(
            f"DATEV writes amounts with cents; {currencies[0]} has none of two digits."
        )
    years = {_fiscal_year(entry.booked_on, details) for entry in entries}
    if len(years) > 1:
        raise JournalNotExpressible("A DATEV file is of one fiscal year: export each by itself.")
    used = {line.account for entry in entries for line in entry.lines}
    used |= {entry.main for entry in entries if entry.lines}
    for account in sorted(used):
        is_number = account.isascii() and account.isdigit()
        if not (is_number and len(account) == details.account_digits):
            raise JournalNotExpressible.of_field(
                fields.get(account, "accounts"),
                f"needs {details.account_digits} digits for DATEV, and is {account!r}",
            )


def _fiscal_year(day: date, details: DatevDetails) -> date:
    year = day.year if day.month >= details.fiscal_year_month else day.year - 1
    return date(year, details.fiscal_year_month, 1)


def _head(entries: Sequence[Journal], details: DatevDetails) -> str:
    first = min(entry.booked_on for entry in entries).replace(day=1)
    last = max(entry.booked_on for entry in entries)
    begins = _fiscal_year(last, details)
    name = entries[0].reference if len(entries) == 1 else f"Farebox {first:%Y-%m}"
    fields = [
        *(_text("EXTF"), "700", "21", _text("Buchungsstapel"), str(_VERSION)),
        *(f"{last:%Y%m%d}000000000", "", _text("FB"), _text("Farebox"), _text("")),
        *(str(details.consultant), str(details.client), f"{begins:%Y%m%d}"),
        *(str(details.account_digits), f"{first:%Y%m%d}", f"{last:%Y%m%d}"),
        *(_text(name[:_MOST_NAME]), _text(""), "1", "0", "0", _text(entries[0].currency)),
        *("", _text(""), "", "", _text(""), "", "", _text(""), _text("")),
    ]
    return ";".join(fields)


def _line(entry: Journal, line: JournalLine) -> str:
    center = line.cost_center or ""
    values = {
        "Umsatz (ohne Soll/Haben-Kz)": f"{abs(line.amount):.2f}".replace(".", ","),
        "Soll/Haben-Kennzeichen": _text("S" if line.amount > 0 else "H"),
        "WKZ Umsatz": _text(entry.currency),
        "Konto": line.account,
        "Gegenkonto (ohne BU-Schlüssel)": entry.main,
        "Belegdatum": f"{entry.booked_on:%d%m}",
        "Belegfeld 1": _text(entry.reference[-_MOST_REFERENCE:]),
        "Buchungstext": _text(line.text[:_MOST_TEXT]),
        "KOST1 - Kostenstelle": _text(center[:36]),
        "Festschreibung": "0",
    }
    return ";".join(values.get(column, "") for column in _COLUMNS)


def _text(text: str) -> str:
    doubled = text.replace('"', '""')
    return f'"{doubled}"'
