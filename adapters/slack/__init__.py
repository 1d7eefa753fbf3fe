"""Slack: Socket Mode or signed requests in, threads and growing answers out."""

from adapters.slack.adapter import HttpAdapter, SocketAdapter
from adapters.slack.manifest import manifest
from adapters.slack.settings import Settings
from bot import Adapter, AdapterContext

__all__ = ["HttpAdapter", "Settings", "SocketAdapter", "build", "manifest"]


def build(settings: Settings, context: AdapterContext) -> Adapter:
    """The adapter as the configuration wants it."""
    if settings.mode == "socket":
        return SocketAdapter(settings, context)
    assert settings.signing_secret is not None
    return HttpAdapter(settings, context, settings.signing_secret.get_secret_value().encode())
