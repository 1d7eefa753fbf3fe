"""WeChat official accounts: calls of the platform in, replies and service messages out."""

from adapters.wechat.adapter import WeChatAdapter
from adapters.wechat.settings import Settings
from bot import Adapter, AdapterContext

__all__ = ["Settings", "WeChatAdapter", "build"]


def build(settings: Settings, context: AdapterContext) -> Adapter:
    """The adapter as the configuration wants it."""
    return WeChatAdapter(settings, context)
