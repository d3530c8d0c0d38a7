"""What to do about a call that failed, by the code of its cause. Plain functions."""

from __future__ import annotations

from dataclasses import dataclass

from portal import routes


@dataclass(frozen=True)
class Advice:
    """What helps, in a sentence, and the page where it is done; no page if it is here."""

    text: str
    page: str = ""
    link: str = ""


_BY_CODE = {
    "insufficient_credit": Advice("Buy credit, and ask again.", "Credit", routes.CREDIT),
    "insufficient_quota": Advice(
        "The plan's quota is used up until the next period. A larger plan lifts it at once.",
        "Compare plans",
        routes.COMPARE,
    ),
    "payment_overdue": Advice("Pay the open invoice, and ask again.", "Invoices", "/invoices"),
    "model_not_in_plan": Advice(
        "Choose another model, or a plan that has this one.", "Compare plans", routes.COMPARE
    ),
    "no_usable_plan": Advice("Choose a plan first.", "Spend", "/spend"),
    "model_not_found": Advice("Choose another model: this one is not offered any more."),
    "rate_limit_exceeded": Advice("Wait until the limit is free again, then press Regenerate."),
    "upstream_busy": Advice("Wait a moment, then press Regenerate."),
    "upstream_failed": Advice("Press Regenerate, or choose another model."),
    "recording_unavailable": Advice("Press Regenerate in a moment. Nothing was billed."),
    "context_length_exceeded": Advice(
        "Shorten the question, delete earlier turns, or lower Max tokens."
    ),
    "exceed_context_size_error": Advice(
        "Shorten the question, delete earlier turns, or lower Max tokens."
    ),
    "body_too_large": Advice(
        "The conversation’s pictures are too large together: delete earlier turns that have some, "
        "or attach smaller ones."
    ),
    "picture_gone": Advice("Delete the question that has it, and attach it again."),
    "invalid_request": Advice("Look at the parameters, then press Regenerate."),
    # The second and third are what providers say themselves
    **dict.fromkeys(
        ("upstream_refused", "400", "invalid_request_error"),
        Advice(
            "The model’s provider does not take this request. Look at the parameters: not every "
            "model takes functions, schemas or pictures."
        ),
    ),
}
_OTHERWISE = Advice("Press Regenerate to try again.")


_PICTURED = Advice("Choose a model that takes pictures, or ask without them.")
_MAY_BE_PICTURES = frozenset({"upstream_refused", "400", "invalid_request_error"})


def advice(code: str, *, pictured: bool = False) -> Advice:
    """What helps against a failure with ``code``, which may be of a provider's own words.

    ``pictured`` is of a question with pictures, which not every model takes.
    """
    if pictured and code in _MAY_BE_PICTURES:
        return _PICTURED
    return _BY_CODE.get(code, _OTHERWISE)
