"""Slash commands and pressed buttons → Inbound. Pure."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from adapters.slack.events import Action, Command, Press
from adapters.slack.manifest import WORDS
from adapters.slack.reading import PLATFORM, Confirm, Here, Read, convert, private, time_of
from adapters.slack.render import asked_in, value_of
from adapters.slack.words import readable
from bot import Address, Inbound, Kind, Message, Role, Sender, Text


def read_command(body: Mapping[str, Any], here: Here, now: datetime) -> Read:
    """`/parley new` is the engine's command; anything else behind it is a question."""
    command = convert(body, Command)
    if here.external:
        return Read(why="external")
    words = (command.text or "").strip()
    first = words.split(maxsplit=1)[0].lower().removeprefix("/") if words else "help"
    is_command = first in WORDS
    sender = Sender(command.user_id, command.user_name or "")
    text = Text(f"/{first}" if is_command else readable(words))
    inbound = Inbound(
        event_key=f"command:{command.trigger_id}",
        address=private(here.team, command.channel_id, command.user_id),
        sender=sender,
        message=Message(Role.USER, (text,), now, sender=sender),
        kind=Kind.COMMAND if is_command else Kind.MESSAGE,
    )
    chat = None
    if command.channel_id.startswith("D"):
        chat = Address(PLATFORM, here.team, command.channel_id)
    return Read(inbound, chat=chat, reply_url=command.response_url)


def read_press(body: Mapping[str, Any], here: Here) -> Read:
    """A button of ours; the same message may hold buttons of an older version."""
    press = convert(body, Press)
    found = next((action for action in press.actions if _value(action) is not None), None)
    if found is None or press.channel is None:
        return Read(why="unknown action")
    if here.external:
        return Read(why="external")
    sender = Sender(press.user.id, press.user.name or press.user.username or "")
    said = Text(_value(found) or "")
    address, ts = _place(press, here)
    whispered = _is_whispered(press)
    inbound = Inbound(
        event_key=_key_of(found, press, ts),
        address=address,
        sender=sender,
        message=Message(Role.USER, (said,), time_of(found.action_ts), sender=sender),
        kind=Kind.BUTTON,
        direct=whispered or address.chat.startswith("D"),
        reply_to=ts,
    )
    confirm = None if whispered else _confirm(press, ts)
    return Read(inbound, confirm=confirm, reply_url=press.response_url if whispered else None)


def _key_of(action: Action, press: Press, ts: str | None) -> str:
    """One for all presses of a button by one person, whichever node hears of them."""
    assert press.channel is not None
    # Keys outlive the words and the people that they came with: this one tells of neither.
    what = f"{press.channel.id}:{ts or action.action_ts}:{press.user.id}:{_value(action)}"
    return f"press:{hashlib.sha256(what.encode()).hexdigest()[:32]}"


def _value(action: Action) -> str | None:
    label = action.text.text if action.text is not None else None
    return value_of(action.action_id, action.value, label)


def _is_whispered(press: Press) -> bool:
    return press.container is not None and bool(press.container.is_ephemeral)


def _place(press: Press, here: Here) -> tuple[Address, str | None]:
    assert press.channel is not None
    channel, message, container = press.channel.id, press.message, press.container
    ts = (message.ts if message else None) or (container.message_ts if container else None)
    if _is_whispered(press):
        return private(here.team, channel, press.user.id), ts
    thread = message.thread_ts if message else None
    thread = thread or (container.thread_ts if container else None)
    if not channel.startswith("D"):
        thread = thread or ts
    elif thread == ts:
        thread = None  # once it has got replies, a message names itself as their thread
    return Address(PLATFORM, here.team, channel, thread), ts


def _confirm(press: Press, ts: str | None) -> Confirm | None:
    if ts is None or press.message is None or press.channel is None:
        return None
    blocks = [block for block in press.message.blocks or () if block.get("type") != "actions"]
    asked = asked_in(press.message.blocks or ())
    return Confirm(press.channel.id, ts, press.message.text or "", tuple(blocks), asked)
