"""What a page shows once: a new key's secret, an invitation's link."""

from __future__ import annotations

import reflex as rx

from portal.kit.vars import computed


class ShownOnce(rx.State, mixin=True):
    """A secret for the dialog that made it alone.

    The browser gets it on the connection that made it. A page that is loaded has a connection of
    its own, and so gets none: what is sent to it first is all of the tab's state.
    """

    secret_name: str = ""
    _secret: str = ""
    _secret_connection: str = ""

    @computed
    def secret(self) -> str:
        """The secret on the connection that made it, else empty."""
        here = self.router.session.session_id == self._secret_connection
        return self._secret if here else ""

    def _show_once(self, name: str, secret: str) -> None:
        self.secret_name, self._secret = name, secret
        self._secret_connection = self.router.session.session_id

    def _forget_secret(self) -> None:
        self.secret_name = self._secret = self._secret_connection = ""
