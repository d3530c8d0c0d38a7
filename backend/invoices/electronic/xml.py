"""Writes XML: elements in the order in which they are added, empty ones left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from xml.etree import ElementTree as ET

HEAD: Final = b'<?xml version="1.0" encoding="UTF-8"?>\n'


class Writer:
    """Adds children to an element, named by prefixes of one table of namespaces."""

    def __init__(self, element: ET.Element, namespaces: Mapping[str, str]) -> None:
        self.element = element
        self._namespaces = namespaces

    @classmethod
    def root(cls, name: str, namespaces: Mapping[str, str]) -> Writer:
        """Begin a document."""
        return cls(ET.Element(_qualified(name, namespaces)), namespaces)

    def group(self, name: str) -> Writer:
        """Add an element that holds others."""
        child = ET.SubElement(self.element, _qualified(name, self._namespaces))
        return Writer(child, self._namespaces)

    def add(self, name: str, text: object | None, **attributes: str) -> None:
        """Add an element with a text; without one nothing is added."""
        if text is not None and text != "":
            child = ET.SubElement(self.element, _qualified(name, self._namespaces), attributes)
            child.text = str(text)

    def written(self) -> bytes:
        """Return the document; the same one gives the same bytes."""
        for prefix, uri in self._namespaces.items():
            ET.register_namespace(prefix, uri)
        ET.indent(self.element)
        text = ET.tostring(self.element, encoding="unicode")
        return HEAD + text.encode() + b"\n"


def _qualified(name: str, namespaces: Mapping[str, str]) -> str:
    prefix, _, local = name.rpartition(":")
    return f"{{{namespaces[prefix]}}}{local}"
