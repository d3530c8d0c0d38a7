"""What paths name, each described once for the API reference."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import Path
from fastapi.params import Path as PathField

from backend.api.example_values import TAIL
from backend_client.types.events import LabelName, Name
from backend_client.types.upstreams import UpstreamName


def _id(description: str, prefix: str) -> PathField:
    """Describe an id that the API makes, which begins with a prefix for its kind."""
    field: PathField = Path(description=description, examples=[f"{prefix}_{TAIL}"])
    return field


TenantId = Annotated[
    str,
    _id("The customer's organization: its id (`ten_…`), or its slug, such as `acme`.", "ten"),
]
ApplicationId = Annotated[
    str, _id("The application's id (`app_…`), as the list of applications has it.", "app")
]
KeyId = Annotated[
    str,
    _id("The API key's id (`key_…`). It is no secret, and is not what calls are made with.", "key"),
]
InvoiceId = Annotated[
    str, _id("The invoice's id (`inv_…`), which a draft has too; not its number.", "inv")
]
CreditNoteId = Annotated[str, _id("The credit note's id (`crn_…`); not its number.", "crn")]
PaymentId = Annotated[
    str, _id("The payment's id (`pay_…`), from the `payments` of its invoice.", "pay")
]
InvoiceItemId = Annotated[
    str, _id("The id (`itm_…`) of a line that waits for the next invoice.", "itm")
]
LineNumber = Annotated[
    int, Path(ge=1, le=1_000_000, description="Which line of the invoice; 1 is its first.")
]
GrantId = Annotated[
    str, _id("The id (`grt_…`) of credit that was given or bought at one time.", "grt")
]
TopUpId = Annotated[str, _id("The id (`top_…`) of a purchase of credit.", "top")]
ContractId = Annotated[str, _id("The contract's id (`ctr_…`).", "ctr")]
CouponId = Annotated[
    str,
    Path(
        description="The code that customers redeem, as you choose it: the `id` of the body too.",
        examples=["launch-20"],
    ),
]
PlanId = Annotated[
    str,
    Path(
        description="The plan's `id` in the catalog, the same in all of its versions.",
        examples=["pay-as-you-go"],
    ),
]
UserId = Annotated[
    str, _id("The person's id (`usr_…`), from the list of members; not their address.", "usr")
]
InvitationId = Annotated[
    str, _id("The invitation's id (`ivt_…`); not the secret that its letter holds.", "ivt")
]
SessionId = Annotated[str, _id("The session's id (`ses_…`), from the list of sessions.", "ses")]
ConversationId = Annotated[str, _id("The conversation's id (`cnv_…`).", "cnv")]
PromptId = Annotated[
    str, _id("The saved prompt's id (`prm_…`), the same in all of its versions.", "prm")
]
WebhookId = Annotated[str, _id("The endpoint's id (`whk_…`), from the list of webhooks.", "whk")]
NotificationId = Annotated[
    str,
    _id("The notification's id (`ntf_…`); to an endpoint it is the event's `webhook-id`.", "ntf"),
]
DispatchId = Annotated[
    str, _id("The id (`dsp_…`) of what was, or is to be, sent to a billing platform.", "dsp")
]
Platform = Annotated[
    str,
    Path(
        description="The billing platform's name, as the list of platforms has it.",
        examples=["stripe"],
    ),
]
ReconciliationId = Annotated[
    str, _id("The id (`rec_…`) of an imported bill or export of a provider.", "rec")
]
DiscrepancyId = Annotated[
    str, _id("The discrepancy's id (`dsc_…`), from the list of the import.", "dsc")
]
LabelBudgetId = Annotated[str, _id("The id (`lbd_…`) of the budget of a label's value.", "lbd")]
LoggedRequestId = Annotated[
    str,
    _id("The call's `id` in the request log. Search the log by `x-request-id` to get it.", "req"),
]
ModelId = Annotated[
    str,
    Path(
        description="The model's `id`, from the list of models. It may have slashes in it.",
        examples=["your-model"],
    ),
]
UpstreamId = Annotated[
    str,
    Path(description="The model provider's name, as the operator chose it.", examples=["main"]),
]
NewUpstreamId = Annotated[
    UpstreamName,
    Path(
        description="The model provider's name: letters, digits, dots, dashes and underscores, "
        "beginning with a letter or digit. One that exists is replaced.",
        examples=["main"],
    ),
]
_LABEL = Path(
    description="The label's name, as events and calls send it. It may have slashes in it.",
    examples=["team"],
)
NewLabel = Annotated[LabelName, _LABEL]
DeclaredLabelName = Annotated[Name, _LABEL]
Month = Annotated[
    date,
    Path(description="The month, as its first day (YYYY-MM-DD).", examples=["2026-03-01"]),
]
ValidFrom = Annotated[
    date,
    Path(
        description="The day (YYYY-MM-DD) from which the policy holds; "
        "until the day of the next policy.",
        examples=["2026-03-01"],
    ),
]
Sequence = Annotated[
    int,
    Path(
        ge=1,
        le=2**63 - 1,
        description="The message's `sequence`, from the list of dead letters.",
    ),
]
