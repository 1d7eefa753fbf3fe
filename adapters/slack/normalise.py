"""Raw payload → Inbound, or the reason why there is none. No waiting here."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec

from adapters.slack.events import Callback, Event, File, Message
from adapters.slack.interactions import read_command, read_press
from adapters.slack.reading import PLATFORM, Here, Read, convert, time_of
from adapters.slack.shares import content, files_passed_on, passed_on
from adapters.slack.words import Me, begins_with, mentioned, readable, without, without_first
from bot import Address, Audio, Image, Inbound, Kind, Part, Role, Sender, Text
from bot import File as Document
from bot import Message as Said

HELP = "/help"
"""What somebody gets who only says our name."""

_SAID = frozenset({None, "", "file_share", "thread_broadcast", "me_message"})
_REVOKED = frozenset({"app_uninstalled", "tokens_revoked"})
_MEMBERSHIP = frozenset({"member_joined_channel", "member_left_channel"})
_SLACKBOT = "USLACKBOT"


def normalise(body: Mapping[str, Any], here: Here, me: Me, now: datetime) -> Read:
    """Read one payload; whatever it holds, this never raises."""
    try:
        read = _read(body, here, me, now)
    except (msgspec.ValidationError, OverflowError, OSError, ValueError):
        return Read(why="malformed")
    return read if here.team or read.inbound is None else Read(why="malformed")


def _read(body: Mapping[str, Any], here: Here, me: Me, now: datetime) -> Read:
    if "command" in body:
        return read_command(body, here, now)
    match body.get("type"):
        case "event_callback":
            return _callback(body, here, me, now)
        case "block_actions":
            return read_press(body, here)
        case str(kind):
            return Read(why=kind if kind in _ACKNOWLEDGED else "unknown")
        case _:
            return Read(why="unknown")


_ACKNOWLEDGED = frozenset(
    "interactive_message dialog_submission dialog_cancellation dialog_suggestion shortcut "
    "message_action view_submission view_closed block_suggestion app_rate_limited".split()
)


# ---- events ------------------------------------------------------------------------------


def _callback(body: Mapping[str, Any], here: Here, me: Me, now: datetime) -> Read:
    event = body.get("event")
    kind = event.get("type") if isinstance(event, Mapping) else None
    if kind in _REVOKED:
        return Read(why=kind, revoked=kind == "app_uninstalled" or _takes_bots(event))
    if kind not in {"message", "app_mention", "function_executed"} | _MEMBERSHIP:
        return Read(why=kind if kind in _IGNORED else "unknown")
    callback = convert(body, Callback)
    me = _introduced(me, callback)
    match callback.event.type:
        case "app_mention":
            return replace(_message(callback.event, here, me), heard="mention")
        case "message":
            return replace(_by_subtype(callback, here, me), heard=_heard(callback.event, me))
        case "function_executed":
            return _function(callback.event)
        case _:
            return _membership(callback, here, me, now)


_IGNORED = frozenset(
    "reaction_added reaction_removed app_home_opened assistant_thread_started "
    "assistant_thread_context_changed im_created channel_left group_left team_join".split()
)


def _takes_bots(event: Any) -> bool:
    tokens = event.get("tokens")
    return not isinstance(tokens, Mapping) or bool(tokens.get("bot"))


def _introduced(me: Me, callback: Callback) -> Me:
    """Ourselves with the names that the event gives us: an organisation's bot has many."""
    named = {entry.user_id for entry in callback.authorizations or () if entry.is_bot}
    names = {user for user in named if user} - me.names
    return replace(me, names=me.names | names) if names else me


def _heard(event: Event, me: Me) -> str:
    if _is_direct(event) or event.subtype not in _SAID:
        return ""
    return "named" if _names_us(event, me) else "channel"


def _by_subtype(callback: Callback, here: Here, me: Me) -> Read:
    event = callback.event
    if event.subtype == "message_changed" and event.message is not None:
        return _edited(event, event.message, here, me)
    if event.subtype == "message_deleted":
        said = event.previous_message or Message(ts=event.deleted_ts)
        return _deleted(event, said, event.deleted_ts or said.ts, here, me)
    return _message(event, here, me)


def _message(event: Event, here: Here, me: Me) -> Read:
    if (why := _not_ours(event, me)) is not None:
        return Read(why=why)
    named = _names_us(event, me)
    direct = _is_direct(event)
    in_thread = _thread(event) is not None
    if not direct and not named:
        if not in_thread:
            return Read(why="unaddressed")
        if begins_with(event.text or "") is not None:
            return Read(why="to somebody else")
    if here.external:
        return Read(why="external")
    inbound = _inbound(event, event, here, me, named=named)
    if inbound is None:
        return Read(why="empty")
    answers_us = event.parent_user_id in me.names
    follows = not (direct or named or answers_us)
    return Read(replace(inbound, addressed=not follows), follows=follows)


def _edited(event: Event, said: Message, here: Here, me: Me) -> Read:
    """An edit that does not name us comes through unaddressed: we may hold the former text."""
    before = event.previous_message
    if said.subtype == "tombstone":  # a thread's beginning leaves one behind
        return _deleted(event, before or said, said.ts, here, me)
    if (why := _not_ours(said, me)) is not None:
        return Read(why=why)
    if before is not None and _same(before, said):
        return Read(why="unchanged")
    named = _names_us(said, me)
    inbound = _inbound(event, said, here, me, named=named)
    if inbound is None:
        return Read(why="empty")
    at = (said.edited.ts if said.edited is not None else None) or event.event_ts or event.ts
    direct = _is_direct(event)
    key = f"edited:{said.ts}:{at}"
    inbound = replace(inbound, event_key=key, kind=Kind.EDITED, addressed=direct or named)
    return Read(inbound, follows=not direct)


def _deleted(event: Event, said: Message, ts: str | None, here: Here, me: Me) -> Read:
    if not ts or not event.channel:
        return Read(why="malformed")
    if (who := _author(said, me)) in {"own", "bot"} and (said.user or said.bot_id):
        return Read(why=who or "")
    sender = _sender(said)
    inbound = Inbound(
        event_key=f"deleted:{ts}",
        address=_address(event, _under(said, ts), here),
        sender=sender,
        message=Said(
            Role.USER, (), time_of(event.event_ts or event.ts), sender=sender, platform_id=ts
        ),
        kind=Kind.RECALLED,
        direct=_is_direct(event),
        addressed=_is_direct(event),
    )
    return Read(inbound, follows=not inbound.direct)


def _under(said: Message, ts: str) -> Message:
    """The message under the id that the event gives it."""
    return Message(ts=ts, thread_ts=said.thread_ts, user=said.user)


def _membership(callback: Callback, here: Here, me: Me, now: datetime) -> Read:
    event = callback.event
    if event.user not in me.names or not event.channel:
        return Read(why="membership")
    if event.type == "member_left_channel":
        return Read(why="removed", left=event.channel)
    sender = Sender(event.user or "")
    inbound = Inbound(
        event_key=callback.event_id or f"joined:{event.channel}",
        address=Address(PLATFORM, here.team, event.channel),
        sender=sender,
        message=Said(Role.USER, (), now, sender=sender),
        kind=Kind.JOINED,
        direct=False,
        addressed=False,
    )
    return Read(inbound)


def _function(event: Event) -> Read:
    if not event.function_execution_id or not event.bot_access_token:
        return Read(why="malformed")
    return Read(why="function", function=(event.function_execution_id, event.bot_access_token))


# ---- what messages have in common --------------------------------------------------------


def _not_ours(said: Message, me: Me) -> str | None:
    """Why a message is not for us, whatever it says."""
    if (why := _author(said, me)) is not None:
        return why
    return None if said.subtype in _SAID else "service"


def _author(said: Message, me: Me) -> str | None:
    if said.user in me.users or (said.bot_id and said.bot_id in me.bots):
        return "own"
    if said.bot_id or said.subtype == "bot_message" or said.user in {None, "", _SLACKBOT}:
        return "bot"
    return None


def _names_us(said: Message, me: Me) -> bool:
    if isinstance(said, Event) and said.type == "app_mention":
        return True
    return not me.names.isdisjoint(mentioned(said.text or ""))


def _inbound(event: Event, said: Message, here: Here, me: Me, *, named: bool) -> Inbound | None:
    if not said.ts or not event.channel:
        raise ValueError("a message without a place")
    words = _words(said, me)
    parts: tuple[Part, ...] = (Text(words),) if words else ()
    parts += tuple(_file(file) for file in said.files or () if file.is_there)
    parts += (*passed_on(said), *map(_file, files_passed_on(said)))
    if not parts and named:
        parts, words = (Text(HELP),), HELP
    if not parts:
        return None
    sender = _sender(said)
    return Inbound(
        event_key=said.ts,
        address=_address(event, said, here),
        sender=sender,
        message=Said(Role.USER, parts, time_of(said.ts), sender=sender, platform_id=said.ts),
        kind=Kind.COMMAND if words.startswith("/") else Kind.MESSAGE,
        direct=_is_direct(event),
    )


def _words(said: Message, me: Me) -> str:
    text = said.text or ""
    bare = without(text, me.names)
    # Before our own name is known, a mention's first name is ours.
    if isinstance(said, Event) and said.type == "app_mention" and bare == text.strip():
        bare = without_first(text)
    return readable(bare)


def _file(file: File) -> Part:
    mime = file.mimetype or "application/octet-stream"
    name = file.name or file.title or ""
    if mime.startswith("image/"):
        return Image(file.id, mime)
    if mime.startswith("audio/"):
        return Audio(file.id, mime)
    return Document(file.id, name, mime, file.size or 0)


def _same(before: Message, after: Message) -> bool:
    """Only decoration has changed: a link's preview, a count of replies, a title."""
    return content(before) == content(after)


def _is_direct(event: Event) -> bool:
    if event.channel_type:
        return event.channel_type == "im"
    return (event.channel or "").startswith("D")


def _thread(said: Message) -> str | None:
    """The thread that a message is a reply in."""
    return said.thread_ts if said.thread_ts and said.thread_ts != said.ts else None


def _address(event: Event, said: Message, here: Here) -> Address:
    """A direct chat is one conversation; in channels every thread is, begun or not."""
    thread = _thread(said)
    if thread is None and not _is_direct(event):
        thread = said.ts
    return Address(PLATFORM, here.team, event.channel or "", thread)


def _sender(said: Message) -> Sender:
    profile = said.user_profile
    names = () if profile is None else (profile.display_name, profile.real_name, profile.name)
    return Sender(said.user or "", next((name for name in names if name), ""))
