"""The shape of the truth: tables, constraints and row-level security."""

from models.access import (
    ApiToken,
    CallRate,
    PasswordLink,
    Permission,
    RefreshToken,
    Role,
    RolePermission,
    Session,
    SignInFailure,
    User,
    UserPermission,
    UserRole,
)
from models.access_grants import AccessGrant
from models.activity import PartnerActivity, PartnerMetric
from models.audit import AccessLogEntry, AccessLogPartner, AuditEvent, AuditSegment
from models.base import Base
from models.billing import Invoice, InvoiceCounter, InvoiceLine, Subscription, SubscriptionChange, SubscriptionNotice
from models.bulk import BulkOperation, BulkOperationChunk, BulkOperationProblem
from models.catalog import CoinPackage, Module, Plan, PlanModule, PlanPrice, Product
from models.closing_receipts import ClosingReceipt
from models.currencies import CurrencyRate
from models.documents import InvoiceDocument
from models.effects import (
    DeadLetter,
    EventCircuit,
    EventDelivery,
    EventPing,
    IdempotencyRecord,
    OutboxMessage,
    ProductEvent,
)
from models.factors import OidcIdentity, OidcLogout, RecoveryCode, SignInChallenge, TotpFactor
from models.installs import Install, OAuthToken, WidgetTokenUse
from models.legal_entities import LegalEntity
from models.mail import Mail, SandboxMail
from models.monitoring import GatewayCheck, ProcessHeartbeat
from models.onboarding import Onboarding, OnboardingChange, OnboardingStep, OnboardingTask
from models.outside_payments import BankStatement, OutsidePayment
from models.partner_documents import PartnerDocument
from models.partners import Contact, Partner, PartnerContract, PartnerNote, PartnerStatusChange
from models.payments import GatewayNotification, Payment, PaymentStateChange
from models.reconciliation import Reconciliation, ReconciliationDifference
from models.refunds import Refund
from models.schedule import ScheduledJob, ScheduledJobRun
from models.wallets import (
    LedgerAccount,
    LedgerEntry,
    Wallet,
    WalletHold,
    WalletLot,
    WalletTopUp,
    WalletTransaction,
)

__all__ = [
    "AccessGrant",
    "AccessLogEntry",
    "AccessLogPartner",
    "ApiToken",
    "AuditEvent",
    "AuditSegment",
    "BankStatement",
    "Base",
    "BulkOperation",
    "BulkOperationChunk",
    "BulkOperationProblem",
    "CallRate",
    "ClosingReceipt",
    "CoinPackage",
    "Contact",
    "CurrencyRate",
    "DeadLetter",
    "EventCircuit",
    "EventDelivery",
    "EventPing",
    "GatewayCheck",
    "GatewayNotification",
    "IdempotencyRecord",
    "Install",
    "Invoice",
    "InvoiceCounter",
    "InvoiceDocument",
    "InvoiceLine",
    "LedgerAccount",
    "LedgerEntry",
    "LegalEntity",
    "Mail",
    "Module",
    "OAuthToken",
    "OidcIdentity",
    "OidcLogout",
    "Onboarding",
    "OnboardingChange",
    "OnboardingStep",
    "OnboardingTask",
    "OutboxMessage",
    "OutsidePayment",
    "Partner",
    "PartnerActivity",
    "PartnerContract",
    "PartnerDocument",
    "PartnerMetric",
    "PartnerNote",
    "PartnerStatusChange",
    "PasswordLink",
    "Payment",
    "PaymentStateChange",
    "Permission",
    "Plan",
    "PlanModule",
    "PlanPrice",
    "ProcessHeartbeat",
    "Product",
    "ProductEvent",
    "Reconciliation",
    "ReconciliationDifference",
    "RecoveryCode",
    "RefreshToken",
    "Refund",
    "Role",
    "RolePermission",
    "SandboxMail",
    "ScheduledJob",
    "ScheduledJobRun",
    "Session",
    "SignInChallenge",
    "SignInFailure",
    "Subscription",
    "SubscriptionChange",
    "SubscriptionNotice",
    "TotpFactor",
    "User",
    "UserPermission",
    "UserRole",
    "Wallet",
    "WalletHold",
    "WalletLot",
    "WalletTopUp",
    "WalletTransaction",
    "WidgetTokenUse",
]
