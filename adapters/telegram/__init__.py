"""Telegram: long polling or webhook in, entities and drafts out."""

from adapters.telegram.listening import PollingAdapter, WebhookAdapter
from adapters.telegram.settings import Settings
from bot import Adapter, AdapterContext, ConfigError

__all__ = ["PollingAdapter", "Settings", "WebhookAdapter", "build"]


def build(settings: Settings, context: AdapterContext) -> Adapter:
    """The adapter as the configuration wants it.

    Raises:
        ConfigError: a webhook without an address that Telegram can call.
    """
    if settings.mode == "polling":
        return PollingAdapter(settings, context)
    if context.public_url is None:
        raise ConfigError(
            f"adapters.{context.name}: mode webhook needs the address under which Telegram reaches "
            "this server; write `server: {public_url: https://bot.example.com}`, or take "
            "`mode: polling`, which needs none"
        )
    return WebhookAdapter(settings, context, f"{context.public_url.rstrip('/')}/in/{context.name}")
