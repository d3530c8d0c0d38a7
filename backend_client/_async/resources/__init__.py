"""The API's things, each with its methods."""

from __future__ import annotations

from backend_client._async.resources.accounting import AsyncAccountingResource
from backend_client._async.resources.audit import AsyncAuditResource
from backend_client._async.resources.billing import (
    AsyncBillingDetailsResource,
    AsyncBillingTermsResource,
)
from backend_client._async.resources.catalog import (
    AsyncCatalogResource,
    AsyncCouponsResource,
    AsyncModelsResource,
    AsyncPlansResource,
    AsyncTaxRatesResource,
)
from backend_client._async.resources.chargeback import AsyncChargebackResource
from backend_client._async.resources.chat import (
    AsyncChatResource,
    AsyncDriftResource,
    AsyncTokensResource,
)
from backend_client._async.resources.events import AsyncCorrectionsResource, AsyncEventsResource
from backend_client._async.resources.invoices import AsyncInvoiceRunsResource, AsyncInvoicesResource
from backend_client._async.resources.keys import (
    AsyncApplicationsResource,
    AsyncKeysResource,
    AsyncLabelBudgetsResource,
)
from backend_client._async.resources.members import (
    AsyncInvitationsResource,
    AsyncMembersResource,
)
from backend_client._async.resources.notifications import AsyncNotificationsResource
from backend_client._async.resources.operator_keys import AsyncOperatorKeysResource
from backend_client._async.resources.pipeline import AsyncDeadLettersResource, AsyncPipelineResource
from backend_client._async.resources.platforms import (
    AsyncPaymentsResource,
    AsyncPlatformsResource,
)
from backend_client._async.resources.playground import (
    AsyncConversationsResource,
    AsyncPromptsResource,
)
from backend_client._async.resources.reconciliations import AsyncReconciliationsResource
from backend_client._async.resources.requests import AsyncRequestsResource
from backend_client._async.resources.resource import AsyncResource
from backend_client._async.resources.sessions import AsyncMeResource, AsyncSessionsResource
from backend_client._async.resources.spend import (
    AsyncForecastResource,
    AsyncMarginResource,
    AsyncSimulationsResource,
    AsyncSpendResource,
)
from backend_client._async.resources.subscription import (
    AsyncContractsResource,
    AsyncEntitlementsResource,
    AsyncSubscriptionResource,
)
from backend_client._async.resources.tenants import AsyncTenantsResource
from backend_client._async.resources.upstreams import AsyncUpstreamsResource
from backend_client._async.resources.usage import AsyncLabelsResource, AsyncUsageResource
from backend_client._async.resources.wallet import AsyncWalletResource
from backend_client._async.resources.webhooks import AsyncWebhooksResource
from backend_client._async.sender import AsyncSender


class AsyncResources(AsyncResource):
    """The whole API: a resource for each thing."""

    def __init__(self, sender: AsyncSender) -> None:
        super().__init__(sender)
        # Who calls
        self.sessions = AsyncSessionsResource(sender)
        self.me = AsyncMeResource(sender)
        self.members = AsyncMembersResource(sender)
        self.invitations = AsyncInvitationsResource(sender)
        self.audit = AsyncAuditResource(sender)
        self.requests = AsyncRequestsResource(sender)
        self.applications = AsyncApplicationsResource(sender)
        self.label_budgets = AsyncLabelBudgetsResource(sender)
        self.keys = AsyncKeysResource(sender)
        self.webhooks = AsyncWebhooksResource(sender)
        # What is used
        self.chat = AsyncChatResource(sender)
        self.tokens = AsyncTokensResource(sender)
        self.conversations = AsyncConversationsResource(sender)
        self.prompts = AsyncPromptsResource(sender)
        self.usage = AsyncUsageResource(sender)
        self.labels = AsyncLabelsResource(sender)
        self.events = AsyncEventsResource(sender)
        self.corrections = AsyncCorrectionsResource(sender)
        # What is on sale, and agreed
        self.models = AsyncModelsResource(sender)
        self.upstreams = AsyncUpstreamsResource(sender)
        self.plans = AsyncPlansResource(sender)
        self.subscription = AsyncSubscriptionResource(sender)
        self.entitlements = AsyncEntitlementsResource(sender)
        self.contracts = AsyncContractsResource(sender)
        # What it costs
        self.spend = AsyncSpendResource(sender)
        self.forecast = AsyncForecastResource(sender)
        self.simulations = AsyncSimulationsResource(sender)
        self.wallet = AsyncWalletResource(sender)
        self.invoices = AsyncInvoicesResource(sender)
        self.payments = AsyncPaymentsResource(sender)
        self.billing_details = AsyncBillingDetailsResource(sender)
        self.chargeback = AsyncChargebackResource(sender)
        # The operator's
        self.tenants = AsyncTenantsResource(sender)
        self.operator_keys = AsyncOperatorKeysResource(sender)
        self.catalog = AsyncCatalogResource(sender)
        self.tax_rates = AsyncTaxRatesResource(sender)
        self.coupons = AsyncCouponsResource(sender)
        self.billing_terms = AsyncBillingTermsResource(sender)
        self.invoice_runs = AsyncInvoiceRunsResource(sender)
        self.notifications = AsyncNotificationsResource(sender)
        self.pipeline = AsyncPipelineResource(sender)
        self.dead_letters = AsyncDeadLettersResource(sender)
        self.drift = AsyncDriftResource(sender)
        self.platforms = AsyncPlatformsResource(sender)
        self.reconciliations = AsyncReconciliationsResource(sender)
        self.margin = AsyncMarginResource(sender)
        self.accounting = AsyncAccountingResource(sender)
