"""A PDF that carries its invoice as XML: Factur-X, as PDF/A-3b. Pure.

By Factur-X 1.0, section 6: the file ``factur-x.xml`` is attached with the relationship
``Alternative`` and named by the document's XMP metadata. PDF/A needs a color profile, metadata
that say the same as the document's information, and an identifier.

Chinese, Japanese and Korean text is in the reader's own typefaces, which PDF/A does not allow: with
such text the file is a PDF with the XML attached, and does not claim to be PDF/A.

Run it in a process of its own, as drawing the PDF.
"""

from __future__ import annotations

import io
from datetime import UTC, datetime
from functools import cache
from hashlib import blake2b
from typing import Final
from xml.sax.saxutils import escape

from PIL import ImageCms
from pypdf import PdfReader, PdfWriter
from pypdf.generic import (
    ArrayObject,
    ByteStringObject,
    DecodedStreamObject,
    DictionaryObject,
    NameObject,
    NumberObject,
    TextStringObject,
)

from backend.invoices.paper.as_pdf import invoice_pdf
from backend_client.types.invoices import Invoice

FILE_NAME: Final = "factur-x.xml"
_PRODUCER: Final = "Farebox"
_PROFILE_DATE: Final = slice(24, 36)
"""Where an ICC profile has the date of its making; it would differ each day."""

_XMP: Final = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/">
   <dc:title><rdf:Alt><rdf:li xml:lang="x-default">{title}</rdf:li></rdf:Alt></dc:title>
   <dc:creator><rdf:Seq><rdf:li>{author}</rdf:li></rdf:Seq></dc:creator>
  </rdf:Description>
  <rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/">
   <xmp:CreatorTool>{producer}</xmp:CreatorTool>
   <xmp:CreateDate>{date}</xmp:CreateDate>
   <xmp:ModifyDate>{date}</xmp:ModifyDate>
  </rdf:Description>
  <rdf:Description rdf:about="" xmlns:pdf="http://ns.adobe.com/pdf/1.3/">
   <pdf:Producer>{producer}</pdf:Producer>
  </rdf:Description>{pdfa}
  <rdf:Description rdf:about="" xmlns:fx="urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#">
   <fx:DocumentType>INVOICE</fx:DocumentType>
   <fx:DocumentFileName>factur-x.xml</fx:DocumentFileName>
   <fx:Version>1.0</fx:Version>
   <fx:ConformanceLevel>EN 16931</fx:ConformanceLevel>
  </rdf:Description>
  <rdf:Description rdf:about=""
    xmlns:pdfaExtension="http://www.aiim.org/pdfa/ns/extension/"
    xmlns:pdfaSchema="http://www.aiim.org/pdfa/ns/schema#"
    xmlns:pdfaProperty="http://www.aiim.org/pdfa/ns/property#">
   <pdfaExtension:schemas><rdf:Bag><rdf:li rdf:parseType="Resource">
    <pdfaSchema:schema>Factur-X PDFA Extension Schema</pdfaSchema:schema>
    <pdfaSchema:namespaceURI>urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#</pdfaSchema:namespaceURI>
    <pdfaSchema:prefix>fx</pdfaSchema:prefix>
    <pdfaSchema:property><rdf:Seq>{properties}
    </rdf:Seq></pdfaSchema:property>
   </rdf:li></rdf:Bag></pdfaExtension:schemas>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>"""

_PDFA: Final = """
  <rdf:Description rdf:about="" xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/">
   <pdfaid:part>3</pdfaid:part>
   <pdfaid:conformance>B</pdfaid:conformance>
  </rdf:Description>"""

_PROPERTY: Final = """
     <rdf:li rdf:parseType="Resource">
      <pdfaProperty:name>{name}</pdfaProperty:name>
      <pdfaProperty:valueType>Text</pdfaProperty:valueType>
      <pdfaProperty:category>external</pdfaProperty:category>
      <pdfaProperty:description>{description}</pdfaProperty:description>
     </rdf:li>"""

_PROPERTIES: Final = {
    "DocumentFileName": "The name of the embedded XML document",
    "DocumentType": "The type of the hybrid document in capital letters",
    "Version": "The version of the standard applying to the embedded XML document",
    "ConformanceLevel": "The conformance level of the embedded XML document",
}


def print_hybrid(given: tuple[str, bytes]) -> bytes:
    """Return the PDF of an invoice, which is given as JSON, with its XML inside."""
    document, xml = given
    return factur_x_pdf(Invoice.model_validate_json(document), xml)


def factur_x_pdf(invoice: Invoice, xml: bytes) -> bytes:
    """Draw an invoice, given ``as_printed``, and attach its XML; the same gives the same bytes."""
    drawn = PdfReader(io.BytesIO(invoice_pdf(invoice)))
    writer = PdfWriter(clone_from=drawn)
    writer.pdf_header = "%PDF-1.7"
    for page in writer.pages:
        page.pop("/Trans", None)  # ReportLab's, and empty
    at = (invoice.issued_at or invoice.period.end).astimezone(UTC)
    _attach(writer, xml, at)
    _color(writer)
    _describe(writer, invoice, at, archival=_is_embedded(writer))
    digest = blake2b(xml, digest_size=16).digest()
    identifier = ByteStringObject(digest)
    writer._ID = ArrayObject([identifier, identifier])
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def _attach(writer: PdfWriter, xml: bytes, at: datetime) -> None:
    content = DecodedStreamObject()
    content.set_data(xml)
    content.update(
        {
            NameObject("/Type"): NameObject("/EmbeddedFile"),
            NameObject("/Subtype"): NameObject("/text/xml"),
            NameObject("/Params"): DictionaryObject(
                {
                    NameObject("/ModDate"): TextStringObject(_pdf_date(at)),
                    NameObject("/Size"): NumberObject(len(xml)),
                }
            ),
        }
    )
    stream = writer._add_object(content)
    name = TextStringObject(FILE_NAME)
    file = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Filespec"),
            NameObject("/F"): name,
            NameObject("/UF"): name,
            NameObject("/Desc"): TextStringObject("The invoice as XML"),
            NameObject("/AFRelationship"): NameObject("/Alternative"),
            NameObject("/EF"): DictionaryObject(
                {NameObject("/F"): stream, NameObject("/UF"): stream}
            ),
        }
    )
    reference = writer._add_object(file)
    files = DictionaryObject({NameObject("/Names"): ArrayObject([name, reference])})
    names = DictionaryObject({NameObject("/EmbeddedFiles"): files})
    writer.root_object[NameObject("/Names")] = names
    writer.root_object[NameObject("/AF")] = ArrayObject([reference])


def _color(writer: PdfWriter) -> None:
    profile = DecodedStreamObject()
    profile.set_data(_srgb())
    profile[NameObject("/N")] = NumberObject(3)
    intent = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/OutputIntent"),
            NameObject("/S"): NameObject("/GTS_PDFA1"),
            NameObject("/OutputConditionIdentifier"): TextStringObject("sRGB"),
            NameObject("/Info"): TextStringObject("sRGB"),
            NameObject("/DestOutputProfile"): writer._add_object(profile),
        }
    )
    writer.root_object[NameObject("/OutputIntents")] = ArrayObject([intent])


@cache
def _srgb() -> bytes:
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[_PROFILE_DATE] = bytes(12)
    return bytes(profile)


def _describe(writer: PdfWriter, invoice: Invoice, at: datetime, *, archival: bool) -> None:
    title = f"Invoice {invoice.number}"
    writer.metadata = {
        "/Title": title,
        "/Author": invoice.seller.name,
        "/Creator": _PRODUCER,
        "/Producer": _PRODUCER,
        "/CreationDate": _pdf_date(at),
        "/ModDate": _pdf_date(at),
    }
    xmp = _XMP.format(
        title=escape(title),
        author=escape(invoice.seller.name),
        producer=_PRODUCER,
        date=f"{at:%Y-%m-%dT%H:%M:%S}+00:00",
        pdfa=_PDFA if archival else "",
        properties="".join(
            _PROPERTY.format(name=name, description=description)
            for name, description in _PROPERTIES.items()
        ),
    )
    content = DecodedStreamObject()
    content.set_data(xmp.encode())
    content[NameObject("/Type")] = NameObject("/Metadata")
    content[NameObject("/Subtype")] = NameObject("/XML")
    writer.root_object[NameObject("/Metadata")] = writer._add_object(content)


def _is_embedded(writer: PdfWriter) -> bool:
    """Return whether every typeface that the pages use is in the file."""
    for page in writer.pages:
        resources = page["/Resources"].get_object()
        fonts = resources.get("/Font", {}) if isinstance(resources, DictionaryObject) else {}
        if not all(_has_program(font.get_object()) for font in fonts.values()):
            return False
    return True


def _has_program(font: DictionaryObject) -> bool:
    descendants = font.get("/DescendantFonts")
    if descendants is not None:
        return all(_has_program(held.get_object()) for held in descendants.get_object())
    descriptor = font.get("/FontDescriptor")
    if descriptor is None:
        return False
    return any(
        name in descriptor.get_object() for name in ("/FontFile", "/FontFile2", "/FontFile3")
    )


def _pdf_date(moment: datetime) -> str:
    return f"D:{moment:%Y%m%d%H%M%S}+00'00'"
