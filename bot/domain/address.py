"""Where a message comes from and where an answer goes."""

from dataclasses import dataclass
from urllib.parse import quote, unquote
from zlib import crc32

SHARDS = 256
"""Fixed for ever: rows carry their shard, so that tables can be spread without a change of code."""


@dataclass(frozen=True, slots=True)
class Address:
    """A place on a platform that can be spoken in.

    `account` is our own identity there (a Slack team, a Telegram bot, a WeChat official
    account), so two installations never share a history. `str(address)` is stable and is the
    conversation's key.
    """

    platform: str
    account: str
    chat: str
    thread: str | None = None

    def __str__(self) -> str:
        parts = [self.platform, self.account, self.chat]
        if self.thread is not None:
            parts.append(self.thread)
        # ":" separates, so it is escaped inside a part: two addresses never share a text
        return ":".join(quote(part, safe="@/+=!-_.~") for part in parts)

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Read what `str()` wrote.

        Raises:
            ValueError: the text has fewer than three or more than four parts.
        """
        parts = [unquote(part) for part in text.split(":")]
        if not 3 <= len(parts) <= 4:
            raise ValueError("an address has the form platform:account:chat or …:chat:thread")
        return cls(*parts)


def shard_of(tenant: str, address: Address) -> int:
    """Which of the 256 shards a conversation's rows belong to (design section 7)."""
    return crc32(f"{tenant}\0{address}".encode()) % SHARDS


@dataclass(frozen=True, slots=True)
class Sender:
    """Who wrote, as the platform knows them; roles come from the configuration only."""

    id: str
    name: str = ""
    locale: str | None = None
    roles: frozenset[str] = frozenset()
