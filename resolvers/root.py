"""The whole schema: reads of the tables, and each domain's queries and mutations."""

from __future__ import annotations

import strawberry

from planner.run import Planner
from planner.scalars import schema_config
from resolvers.access import AccessMutations, AccessQueries
from resolvers.access_grants import AccessGrantMutations, AccessGrantQueries
from resolvers.activity import ActivityQueries
from resolvers.billing import BillingMutations, BillingQueries
from resolvers.bulk import BulkMutations, BulkQueries, BulkSubscriptions
from resolvers.catalog import CatalogMutations
from resolvers.catalog_parts import CatalogPartMutations
from resolvers.closing_receipts import ClosingReceiptMutations
from resolvers.colleagues import ColleagueQueries
from resolvers.dashboard import CurrencyMutations, DashboardQueries
from resolvers.documents import DocumentMutations, DocumentQueries
from resolvers.effects import EffectsMutations, EffectsQueries
from resolvers.factors import FactorMutations, FactorQueries
from resolvers.installs import InstallMutations
from resolvers.legal_entities import LegalEntityMutations
from resolvers.monitoring import MonitoringQueries
from resolvers.onboarding import OnboardingMutations
from resolvers.outside_payments import OutsidePaymentMutations
from resolvers.partner_card import PartnerCardMutations, PartnerCardQueries
from resolvers.partner_documents import PartnerDocumentMutations, PartnerDocumentQueries
from resolvers.partners import PartnerMutations
from resolvers.reads import Reads
from resolvers.reconciliation import ReconciliationMutations
from resolvers.refunds import RefundMutations, RefundQueries
from resolvers.subscription_changes import SubscriptionMutations, SubscriptionQueries
from resolvers.subscription_corrections import CorrectionMutations
from resolvers.users import UserMutations, UserQueries
from resolvers.wallets import WalletMutations, WalletQueries
from schema.timeline import TIMELINE_TYPES


@strawberry.type(description="What can be read.")
class Query(
    Reads,
    AccessQueries,
    FactorQueries,
    AccessGrantQueries,
    UserQueries,
    BillingQueries,
    SubscriptionQueries,
    EffectsQueries,
    DocumentQueries,
    MonitoringQueries,
    ActivityQueries,
    WalletQueries,
    RefundQueries,
    DashboardQueries,
    PartnerCardQueries,
    ColleagueQueries,
    PartnerDocumentQueries,
    BulkQueries,
):
    """What can be read."""


@strawberry.type(description="What can be done; each mutation is one transaction.")
class Mutation(
    AccessMutations,
    FactorMutations,
    AccessGrantMutations,
    UserMutations,
    PartnerMutations,
    PartnerCardMutations,
    PartnerDocumentMutations,
    CatalogMutations,
    CatalogPartMutations,
    InstallMutations,
    OnboardingMutations,
    BillingMutations,
    SubscriptionMutations,
    CorrectionMutations,
    WalletMutations,
    LegalEntityMutations,
    DocumentMutations,
    RefundMutations,
    ClosingReceiptMutations,
    ReconciliationMutations,
    OutsidePaymentMutations,
    CurrencyMutations,
    EffectsMutations,
    BulkMutations,
):
    """What can be done."""


@strawberry.type(description="What can be watched, over WebSocket by the protocol graphql-transport-ws.")
class SubscriptionRoot(BulkSubscriptions):
    """What can be watched; `Subscription` is what our partners pay for."""


schema = strawberry.Schema(
    Query, mutation=Mutation, subscription=SubscriptionRoot, types=TIMELINE_TYPES, config=schema_config()
)
planner = Planner(schema)
