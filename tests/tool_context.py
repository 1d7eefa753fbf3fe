"""A tool context for tests that call a tool directly."""

from collections.abc import Callable
from datetime import datetime

from aiohttp import ClientSession

from bot.domain.address import Address, Sender
from bot.domain.conversation import ConversationId, TurnId
from bot.domain.tool import ToolContext
from tests.fakes import EPOCH


def no_network() -> ClientSession:
    """The session of a tool that has no business on the network."""
    raise AssertionError("this tool must not use the network")


def tool_context(
    *,
    locale: str = "en",
    now: datetime = EPOCH,
    http: Callable[[], ClientSession] = no_network,
    sender: str = "ann",
) -> ToolContext:
    """Somebody asks on the web page."""
    return ToolContext(
        tenant="default",
        conversation=ConversationId(1),
        turn=TurnId(1),
        address=Address("web", "web", sender),
        sender=Sender(sender, "Ann"),
        audience="everyone",
        locale=locale,
        now=now,
        key="key-1",
        http=http,
    )
