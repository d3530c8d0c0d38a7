"""The conversation of a tab, which goes on while another page is looked at."""

from __future__ import annotations

from typing import ClassVar

from portal.features.playground.calls.parameters import Parameters
from portal.features.playground.conversation.transcript import Turn
from portal.session.state import Session


class Conversation(Session):
    """Nothing of it is sent to the browser: the playground's page shows it when it is loaded.

    ``_kept`` is its id in the person's history, empty before it is kept; ``_tickets`` are where the
    answers that come in now are read, by turn and model.
    """

    stays: ClassVar[bool] = True

    _turns: list[Turn] = []
    _tickets: dict[tuple[str, str], str] = {}
    _running: bool = False
    _stop: bool = False
    _kept: str = ""
    _shared: bool = False
    _chosen: list[str] = []
    _parameters: Parameters = Parameters()
