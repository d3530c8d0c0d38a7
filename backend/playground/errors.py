"""Why something of the playground can't be kept or read."""

from __future__ import annotations

from backend.errors import Conflict, Forbidden, NotFound


class ConversationNotFound(NotFound):
    """There is no such conversation of the person's, nor one that was shared with them."""

    code, title = "conversation_not_found", "No such conversation"


class PromptNotFound(NotFound):
    """There is no such prompt of the person's, nor one that was shared with them."""

    code, title = "prompt_not_found", "No such prompt"


class NotTheAuthor(Forbidden):
    """Others may read what was shared with them, and not change it: keep a copy."""

    code, title = "not_the_author", "Only who made this can change it"


class HistoryOff(Conflict):
    """The operator keeps no conversations here: export what is to be kept."""

    code, title = "history_off", "Conversations are not kept here"


class TooManyPrompts(Conflict):
    """The person has as many prompts, or the prompt as many versions, as may be kept."""

    code, title = "too_many_prompts", "No more can be kept; remove some first"
