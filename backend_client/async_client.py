"""The asynchronous client."""

from __future__ import annotations

from backend_client.accounts import AsyncAccountsMethods
from backend_client.agreements import AsyncAgreementMethods
from backend_client.billing import AsyncBillingMethods
from backend_client.events import AsyncEventMethods
from backend_client.invoices import AsyncInvoiceMethods
from backend_client.metering import AsyncMeteringMethods
from backend_client.notifications import AsyncNotificationMethods
from backend_client.reconciliation import AsyncReconciliationMethods
from backend_client.wallets import AsyncWalletMethods


class AsyncFareboxClient(
    AsyncAccountsMethods,
    AsyncAgreementMethods,
    AsyncBillingMethods,
    AsyncEventMethods,
    AsyncInvoiceMethods,
    AsyncMeteringMethods,
    AsyncNotificationMethods,
    AsyncReconciliationMethods,
    AsyncWalletMethods,
):
    """Farebox's API over asyncio. Close it when done, or use it in ``async with``.

    ``credential`` is an API key, an operator's key or a session's token. Every method raises
    ``ClientError``: ``Unauthenticated``, ``NotFound`` and so on, as the API says,
    ``Unavailable`` if it can't be reached or ``UnexpectedAnswer`` if something else answers.
    Calls that can be repeated without harm are, with growing pauses. ``timeout`` is of one try.
    """
