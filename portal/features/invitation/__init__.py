"""Invitation: where an invitation's link leads, for people who may not be signed in.

Owns the page alone. The secret is in the address's fragment, which only the browser sees; the form
sends it to ``server.sign_in_routes``, which accepts it or keeps it for the sign-in.
"""

from __future__ import annotations

from portal import routes
from portal.features.invitation.page import page
from portal.shell.feature import BarePage

FEATURE = BarePage(route=routes.INVITATION, title="Invitation", page=page)
