"""What developers read: guides, and a reference of the API, as plain pages.

Owns the guides in ``guides``, how they become pages, their search, ``llms.txt``, the reference that
Scalar draws from the API's own OpenAPI document, and the calls that readers try from these pages.

No Reflex: a reader needs no websocket and no session, and a page is there before any script.
"""
