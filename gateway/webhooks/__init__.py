"""Webhooks (Standard Webhooks): a publisher that wishes it is told of each new inbox item by a small signed POST.

What is due is durable in the store (`Store.events`); `Notifier` tells it. Pure: `event`, `keys` and `schedule`.
"""

from gateway.webhooks.keys import WebhookKeys, generate_webhook_keys, load_webhook_keys
from gateway.webhooks.network import http_client
from gateway.webhooks.notifier import Notifier, Way

__all__ = ["Notifier", "Way", "WebhookKeys", "generate_webhook_keys", "http_client", "load_webhook_keys"]
