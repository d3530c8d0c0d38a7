"""Why a budget does not let a call through, or can not be as it was asked for."""

from __future__ import annotations

from backend.errors import BudgetExhausted, Conflict, InvalidInput, NotFound


class KeyBudgetExhausted(BudgetExhausted):
    """The API key's own budget has not enough left for the call: a larger budget helps."""

    code, title = "key_budget_exhausted", "The key's budget is used up"


class ApplicationBudgetExhausted(BudgetExhausted):
    """The application's budget, which its keys share, has not enough left for the call."""

    code, title = "application_budget_exhausted", "The application's budget is used up"


class LabelBudgetExhausted(BudgetExhausted):
    """The budget of a label that the call has is used up, or too much of it: a larger one helps."""

    code, title = "label_budget_exhausted", "A label's budget is used up"


class KeyWithoutBudget(NotFound):
    """The API key has no budget, so there is none to show."""

    code, title = "key_without_budget", "This key has no budget"


class ApplicationWithoutBudget(NotFound):
    """The application has no budget, so there is none to show."""

    code, title = "application_without_budget", "This application has no budget"


class LabelBudgetNotFound(NotFound):
    """The tenant has no such budget of a label; it may have been removed."""

    code, title = "label_budget_not_found", "There is no such budget of a label"


class LabelHasBudget(Conflict):
    """The value of the label has a budget already: change that."""

    code, title = "label_has_budget", "The label's value has a budget already"


class TooManyLabelBudgets(Conflict):
    """The tenant has as many budgets of labels as it can: remove what is of no use."""

    code, title = "too_many_label_budgets", "There are too many budgets of labels"


class LabelNotForBudgets(InvalidInput):
    """What the gateway says of a call only when it has ended can't bound it before."""

    code, title = "label_not_for_budgets", "The label can't have a budget"
