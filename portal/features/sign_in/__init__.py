"""Sign-in: the one page for people who are not signed in.

Owns the choice between the ways to sign in. The routes that set the cookie are
``server.sign_in_routes``.
"""

from __future__ import annotations

from portal import routes
from portal.features.sign_in.page import page
from portal.features.sign_in.state import SignIn
from portal.shell.feature import BarePage

FEATURE = BarePage(route=routes.SIGN_IN, title="Sign in", page=page, on_load=(SignIn.look,))
