"""The platforms of fault runs, one module each: its settings, its wire, who writes where."""

from typing import Literal

from tests.faults.platforms.base import ADAPTERS, FIRST_CHAT, TENANTS, Event, Platform
from tests.faults.platforms.slack import Slack
from tests.faults.platforms.telegram import Telegram
from tests.faults.platforms.telegram_polling import TelegramPolling
from tests.faults.platforms.wechat import WeChat, WeChatCalls

Name = Literal["telegram", "telegram-polling", "slack", "wechat", "wechat-calls"]
_KNOWN: dict[Name, type[Platform]] = {
    "telegram": Telegram,
    "telegram-polling": TelegramPolling,
    "slack": Slack,
    "wechat": WeChat,
    "wechat-calls": WeChatCalls,
}


def platform_of(name: Name) -> Platform:
    """A platform, for one run."""
    return _KNOWN[name]()


__all__ = ["ADAPTERS", "FIRST_CHAT", "TENANTS", "Event", "Name", "Platform", "platform_of"]
