"""The address of a page, in step with what the page shows."""

from __future__ import annotations

import reflex as rx


class Address(rx.Component):
    """Keeps ``query`` as the query of the browser's address, in place of what was there.

    Shows nothing. A page that reads the query when it loads can then be reloaded and shared as it
    stands. The query that it has at first changes nothing: the address is the visitor's until the
    page shows something else.
    """

    library = "$/public/address.js"
    tag = "Address"

    query: rx.Var[str]


address = Address.create
