"""Client library of the Regulation Gateway, for the software of SAMU emergency-call centres.

`Client` blocks, `AsyncClient` is for asyncio; both do the same. See README.md for a tour.
"""

from regulation_sdk.async_client import AsyncClient
from regulation_sdk.client import Client
from regulation_sdk.credentials import ClientSecret, PrivateKey
from regulation_sdk.deliveries import AsyncDelivery, Delivery
from regulation_sdk.effects import Timing
from regulation_sdk.envelopes import Envelope, envelope
from regulation_sdk.errors import (
    AuthenticationError,
    DuplicateId,
    Expired,
    GatewayError,
    InvalidMessage,
    InvalidRequest,
    Issue,
    NotFound,
    PermissionDenied,
    QuotaExceeded,
    Unavailable,
    UnexpectedAnswer,
    Unreachable,
    Untranslatable,
)
from regulation_sdk.retry import RetryPolicy
from regulation_sdk.values import (
    Ack,
    Acknowledgement,
    InboxItem,
    Limit,
    Loss,
    MessageStatus,
    Receipt,
    RecipientAnswer,
    TimelineStep,
    TranslatedMessage,
    Translation,
    Validation,
)
from regulation_sdk.webhooks import Webhook, WebhookError, verify_webhook

__version__ = "0.1.0"

__all__ = [
    "Ack",
    "Acknowledgement",
    "AsyncClient",
    "AsyncDelivery",
    "AuthenticationError",
    "Client",
    "ClientSecret",
    "Delivery",
    "DuplicateId",
    "Envelope",
    "Expired",
    "GatewayError",
    "InboxItem",
    "InvalidMessage",
    "InvalidRequest",
    "Issue",
    "Limit",
    "Loss",
    "MessageStatus",
    "NotFound",
    "PermissionDenied",
    "PrivateKey",
    "QuotaExceeded",
    "Receipt",
    "RecipientAnswer",
    "RetryPolicy",
    "TimelineStep",
    "Timing",
    "TranslatedMessage",
    "Translation",
    "Unavailable",
    "UnexpectedAnswer",
    "Unreachable",
    "Untranslatable",
    "Validation",
    "Webhook",
    "WebhookError",
    "envelope",
    "verify_webhook",
]
