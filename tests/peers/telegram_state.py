"""What the people in the chats see: messages, edits, deletions, drafts that fade."""

from dataclasses import dataclass, field
from typing import Any, Literal

from tests.peers.log import Json
from tests.peers.telegram_rules import Refusal, bad

DRAFT_LIFE_US = 30_000_000
ChatKind = Literal["private", "group", "supergroup"]


@dataclass(frozen=True, slots=True)
class Version:
    """One text that stood on the screen, and since when (monotonic microseconds)."""

    text: str
    at: int
    entities: tuple[Json, ...] = ()


@dataclass(slots=True)
class Shown:
    """A message on the screen."""

    id: int
    chat: int
    versions: list[Version]
    sender: Json
    date: int
    ours: bool
    kind: Literal["text", "photo", "document"] = "text"
    thread: int | None = None
    reply_to: int | None = None
    markup: Json | None = None
    deleted_at: int | None = None

    @property
    def text(self) -> str:
        """What stands there now."""
        return self.versions[-1].text

    @property
    def entities(self) -> tuple[Json, ...]:
        """How it is marked up now."""
        return self.versions[-1].entities

    @property
    def visible(self) -> bool:
        """Whether it is still on the screen."""
        return self.deleted_at is None


@dataclass(slots=True)
class Draft:
    """A text that grows on the screen without being a message."""

    chat: int
    id: int
    thread: int | None
    versions: list[Version] = field(default_factory=list)
    ended_by: Literal["message", "faded"] | None = None
    ended_at: int | None = None

    @property
    def texts(self) -> list[str]:
        """Every text it showed, in order."""
        return [version.text for version in self.versions]


@dataclass(slots=True)
class Chat:
    """A chat that the bot can reach, or could."""

    id: int
    kind: ChatKind
    title: str = ""
    username: str | None = None
    forum: bool = False
    blocked: bool = False
    """The person blocked the bot, or it was removed from the group."""
    moved_to: int | None = None
    topics: set[int] | None = field(default_factory=set)
    """None: any topic is right."""
    messages: dict[int, Shown] = field(default_factory=dict)
    drafts: list[Draft] = field(default_factory=list)
    last_id: int = 0

    def as_json(self) -> Json:
        """The chat as it stands in messages."""
        named = "first_name" if self.kind == "private" else "title"
        chat: Json = {"id": self.id, "type": self.kind, named: self.title}
        if self.username:
            chat["username"] = self.username
        if self.forum:
            chat["is_forum"] = True
        return chat

    def next_id(self) -> int:
        """Message ids grow per chat."""
        self.last_id += 1
        return self.last_id

    def ours(self) -> list[Shown]:
        """The bot's messages that are still on the screen, oldest first."""
        return [shown for shown in self.messages.values() if shown.ours and shown.visible]

    def draft(self, id: int, thread: int | None, now: int) -> Draft:
        """The live draft of this id, or a new one."""
        self.fade(now)
        for draft in self.drafts:
            if draft.id == id and draft.ended_by is None:
                return draft
        self.drafts.append(Draft(self.id, id, thread))
        return self.drafts[-1]

    def fade(self, now: int) -> None:
        """End the drafts that nobody renewed in time."""
        for draft in self.drafts:
            if draft.ended_by is None and now - draft.versions[-1].at > DRAFT_LIFE_US:
                draft.ended_by, draft.ended_at = "faded", draft.versions[-1].at + DRAFT_LIFE_US

    def dismiss_drafts(self, thread: int | None, now: int) -> None:
        """A real message takes the place of what was growing."""
        self.fade(now)
        for draft in self.drafts:
            if draft.ended_by is None and draft.thread == thread:
                draft.ended_by, draft.ended_at = "message", now


class Chats:
    """Every chat that the bot has met."""

    def __init__(self, *, strict: bool = True) -> None:
        self._chats: dict[int, Chat] = {}
        self._strict = strict

    def add(self, chat: Chat) -> Chat:
        """Make a chat known; one that is known already stays as it is."""
        return self._chats.setdefault(chat.id, chat)

    def get(self, id: int) -> Chat | None:
        """The chat, if it is known."""
        return self._chats.get(id)

    def note(self, chat: Json) -> Chat:
        """Make the chat of an update known."""
        kind: ChatKind = chat.get("type", "private")
        title = chat.get("title") or chat.get("first_name") or ""
        known = self.add(Chat(chat["id"], kind, title, chat.get("username")))
        known.forum = known.forum or bool(chat.get("is_forum"))
        return known

    def require(self, params: Json) -> Chat:
        """The chat to send to, or the refusal that the real service would give."""
        raw = params.get("chat_id")
        if raw is None or raw == "":
            raise bad("chat_id is empty")
        chat = self._chats.get(_number(raw))
        if chat is None and not self._strict:
            id = _number(raw)
            kind: ChatKind = "private" if id > 0 else "supergroup"
            chat = self.add(Chat(id, kind, "somebody", topics=None))
        if chat is None:
            raise bad("chat not found")
        if chat.moved_to is not None:
            reason = "group chat was upgraded to a supergroup chat"
            raise bad(reason, migrate_to_chat_id=chat.moved_to)
        if chat.blocked and chat.kind == "private":
            raise Refusal(403, "Forbidden: bot was blocked by the user")
        if chat.blocked:
            raise Refusal(403, f"Forbidden: bot was kicked from the {chat.kind} chat")
        return chat


def thread_of(chat: Chat, params: Json) -> int | None:
    """The topic to send to; it must exist."""
    raw = params.get("message_thread_id")
    if raw is None:
        return None
    if chat.topics is not None and _number(raw) not in chat.topics:
        raise bad("message thread not found")
    return _number(raw)


def _number(raw: Any) -> int:
    try:
        return int(raw)
    except (TypeError, ValueError):
        raise bad("chat not found") from None
