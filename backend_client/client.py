"""The synchronous client."""

from __future__ import annotations

from backend_client.accounts import AccountsMethods
from backend_client.agreements import AgreementMethods
from backend_client.billing import BillingMethods
from backend_client.events import EventMethods
from backend_client.invoices import InvoiceMethods
from backend_client.metering import MeteringMethods
from backend_client.notifications import NotificationMethods
from backend_client.reconciliation import ReconciliationMethods
from backend_client.wallets import WalletMethods


class FareboxClient(
    AccountsMethods,
    AgreementMethods,
    BillingMethods,
    EventMethods,
    InvoiceMethods,
    MeteringMethods,
    NotificationMethods,
    ReconciliationMethods,
    WalletMethods,
):
    """Farebox's API over plain calls. Close it when done, or use it in ``with``.

    ``credential`` is an API key, an operator's key or a session's token. Every method raises
    ``ClientError``: ``Unauthenticated``, ``NotFound`` and so on, as the API says,
    ``Unavailable`` if it can't be reached or ``UnexpectedAnswer`` if something else answers.
    Calls that can be repeated without harm are, with growing pauses. ``timeout`` is of one try.
    """
