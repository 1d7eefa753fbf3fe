"""What the people in a workspace see: channels, threads, edits, whispers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.peers.log import Json
from tests.peers.slack_rules import Refusal

Kind = Literal["channel", "group", "im", "mpim"]
_KINDS: Mapping[str, Kind] = {"C": "channel", "G": "group", "D": "im"}


@dataclass(frozen=True, slots=True)
class Version:
    """One content of a message, and since when (monotonic microseconds)."""

    text: str
    at: int
    blocks: tuple[Json, ...] = ()
    markdown: str = ""

    @property
    def shown(self) -> str:
        """What a person reads: blocks where there are any, else the text."""
        parts = [block["text"] for block in self.blocks if block["type"] == "markdown"]
        return "\n".join(parts) or self.markdown or self.text

    @property
    def buttons(self) -> list[Json]:
        """The buttons under it."""
        rows = [block["elements"] for block in self.blocks if block["type"] == "actions"]
        return [button for row in rows for button in row]


@dataclass(slots=True)
class Shown:
    """A message on the screen."""

    ts: str
    channel: str
    versions: list[Version]
    user: str
    ours: bool
    thread: str | None = None
    metadata: Json | None = None
    deleted: bool = False

    @property
    def text(self) -> str:
        """What stands there now."""
        return self.versions[-1].shown

    @property
    def texts(self) -> list[str]:
        """Everything that stood there, in order."""
        return [version.shown for version in self.versions]

    @property
    def notice(self) -> str:
        """What a notification shows."""
        return self.versions[-1].text

    @property
    def buttons(self) -> list[Json]:
        """What can be pressed."""
        return self.versions[-1].buttons


@dataclass(frozen=True, slots=True)
class Whisper:
    """What only one person saw."""

    channel: str
    user: str
    text: str
    buttons: tuple[Json, ...] = ()


@dataclass(slots=True)
class Channel:
    """A channel, a group or a direct chat."""

    id: str
    kind: Kind = "channel"
    name: str = "general"
    members: set[str] = field(default_factory=set)
    joined: bool = True
    """Whether the bot is in it."""
    archived: bool = False
    messages: dict[str, Shown] = field(default_factory=dict)

    def ours(self, thread: str | None = None) -> list[Shown]:
        """The bot's messages that are still on the screen, oldest first."""
        return [
            shown
            for shown in self.messages.values()
            if shown.ours and not shown.deleted and thread in (None, shown.thread)
        ]


class Channels:
    """Every channel of the workspace. A chat that nobody introduced does not exist.

    Not so with `strict=False`: it is there as soon as somebody names it, the bot in it.
    """

    def __init__(self, now: Any, *, strict: bool = True) -> None:
        self._channels: dict[str, Channel] = {}
        self.strict = strict
        self._now = now
        self._last = 0

    def add(self, channel: Channel) -> Channel:
        """Make it known; one that is known already stays as it is."""
        return self._channels.setdefault(channel.id, channel)

    def get(self, id: str) -> Channel | None:
        """The channel, if it is known."""
        channel = self._channels.get(id)
        if channel is None and not self.strict and id[:1] in _KINDS:
            channel = self.add(Channel(id, _KINDS[id[0]]))
        return channel

    def ts(self) -> str:
        """A message's id: a time, and never the same twice."""
        micros = max(int(self._now() * 1_000_000), self._last + 1)
        self._last = micros
        return f"{micros // 1_000_000}.{micros % 1_000_000:06d}"

    def visible(self, params: Mapping[str, Any]) -> Channel:
        """The channel of a call, if the bot can see it."""
        channel = self.get(str(params.get("channel", "")))
        if channel is None or (not channel.joined and channel.kind != "channel"):
            raise Refusal("channel_not_found")
        return channel

    def writable(self, params: Mapping[str, Any]) -> Channel:
        """The channel of a call, if the bot may write there; a person's id is their direct chat."""
        wanted = str(params.get("channel", ""))
        if wanted.startswith(("U", "W")):
            return self._direct(wanted)
        channel = self.visible(params)
        if channel.archived:
            raise Refusal("is_archived")
        if not channel.joined:
            raise Refusal("not_in_channel")
        return channel

    def _direct(self, user: str) -> Channel:
        for channel in self._channels.values():
            if channel.kind == "im" and user in channel.members and channel.joined:
                return channel
        return self.add(Channel(f"D0{user[1:]}", "im", "directmessage", {user}))
