"""Raw update → Inbound, or the reason why there is none. No waiting here."""

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import msgspec

from adapters.telegram.content import parts_of
from adapters.telegram.mentions import Heard, Me, hear
from adapters.telegram.render import BY_LABEL
from adapters.telegram.updates import Callback, Chat, Membership, Message, Update, User
from bot import Address, Inbound, Kind, Role, Sender, Text, command_of
from bot import Message as Said

PLATFORM = "telegram"
_HERE = frozenset({"member", "administrator", "creator", "restricted"})


@dataclass(frozen=True, slots=True)
class Read:
    """What an update means for us.

    Without an `inbound`, `why` says what it was. `press` is the id of a button press that waits
    to be confirmed, `pressed` the message that carries the button, where that can still be
    changed and was meant for this person. `left` is a chat that we cannot write to any more.
    `undecided`: it names somebody and we do not know our own user name yet. `username` is ours,
    where the update tells it.
    """

    update_id: int | None
    inbound: Inbound | None = None
    why: str = ""
    press: str | None = None
    pressed: str | None = None
    left: str | None = None
    undecided: bool = False
    username: str | None = None


class _Numbered(msgspec.Struct):
    update_id: int


_updates = msgspec.json.Decoder(Update)
_numbers = msgspec.json.Decoder(_Numbered)


def is_json(raw: bytes) -> bool:
    """Whether the platform could have written it at all."""
    try:
        msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def normalise(raw: bytes, me: Me) -> Read:
    """Read one update; whatever it holds, this never raises."""
    try:
        update = _updates.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Read(_number_of(raw), why="malformed")
    try:
        return _read(update, me)
    except (OverflowError, OSError, ValueError):  # a date or an offset beyond all bounds
        return Read(update.update_id, why="malformed")


def _number_of(raw: bytes) -> int | None:
    try:
        return _numbers.decode(raw).update_id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _read(update: Update, me: Me) -> Read:
    if update.message is not None:
        return _message(update.update_id, update.message, me)
    if update.edited_message is not None:
        return _edited(update.update_id, update.edited_message, me)
    if update.callback_query is not None:
        return _pressed(update.update_id, update.callback_query, me)
    if update.my_chat_member is not None:
        return _standing(update.update_id, update.my_chat_member, me)
    if update.channel_post is not None or update.edited_channel_post is not None:
        return Read(update.update_id, why="channel")
    return Read(update.update_id, why="unknown")


def _message(number: int, message: Message, me: Me) -> Read:
    if message.migrate_to_chat_id is not None:
        return _moved(number, message, (message.chat.id, message.migrate_to_chat_id), me)
    if message.migrate_from_chat_id is not None:
        return _moved(number, message, (message.migrate_from_chat_id, message.chat.id), me)
    if (why := _not_ours(message, me)) is not None:
        return Read(number, why=why)
    answered = message.reply_to_message
    me = me if answered is None else _introduced(me, answered.from_)
    heard = hear(message, me)
    if heard.undecided:
        return Read(number, undecided=True)
    inbound = _inbound(number, message, me, heard)
    if inbound is None:
        return Read(number, why="service", username=me.username)
    if not inbound.addressed:
        return Read(number, why=heard.why, username=me.username)
    return Read(number, inbound, username=me.username)


def _edited(number: int, message: Message, me: Me) -> Read:
    """An edit that no longer names us comes through unaddressed: we may hold the former text."""
    if (why := _not_ours(message, me)) is not None:
        return Read(number, why=why)
    if message.location is not None:
        return Read(number, why="live location")
    inbound = _inbound(number, message, me, hear(message, me))
    if inbound is None:
        return Read(number, why="service")
    return Read(number, replace(inbound, kind=Kind.EDITED))


def _not_ours(message: Message, me: Me) -> str | None:
    """Why a message is not for us, whatever it says."""
    if message.chat.type == "channel":
        return "channel"
    if message.sender_chat is not None or message.from_ is None:
        return None
    if message.from_.id == me.id:
        return "own"
    return "bot" if message.from_.is_bot else None


def _inbound(number: int, message: Message, me: Me, heard: Heard) -> Inbound | None:
    parts = parts_of(message, heard.words)
    if not parts:
        return None
    answered = message.reply_to_message
    is_reply = answered is not None and answered.forum_topic_created is None
    inbound = Inbound(
        event_key=str(number),
        address=_address(message, me),
        sender=_sender(message),
        message=Said(
            Role.USER,
            parts,
            _time(message.date),
            sender=_sender(message),
            platform_id=str(message.message_id),
        ),
        kind=Kind.COMMAND if heard.is_command else Kind.MESSAGE,
        direct=message.chat.type == "private",
        addressed=heard.addressed,
        album=message.media_group_id,
        reply_to=str(answered.message_id) if answered is not None and is_reply else None,
    )
    if heard.is_command and not heard.addressed:
        # Without a name it may be for any bot of the group.
        return replace(inbound, addressed=command_of(inbound) is not None)
    return inbound


def _moved(number: int, message: Message, chats: tuple[int, int], me: Me) -> Read:
    old, new = (Address(PLATFORM, me.account, str(chat)) for chat in chats)
    sender = _sender(message)
    said = Said(Role.USER, (), _time(message.date), sender=sender)
    inbound = Inbound(
        str(number), old, sender, said, Kind.MOVED, direct=False, addressed=False, moved_to=new
    )
    return Read(number, inbound)


def _pressed(number: int, press: Callback, me: Me) -> Read:
    message = press.message
    if message is None or press.data is None or message.chat.type == "channel":
        return Read(number, why="unknown", press=press.id)
    sender = _person(press.from_)
    # An inaccessible message comes with the date 0.
    said = Said(Role.USER, (Text(_value(press.data, message)),), _time(message.date), sender=sender)
    inbound = Inbound(
        event_key=_key_of(press, message),
        address=_address(message, me),
        sender=sender,
        message=said,
        kind=Kind.BUTTON,
        direct=message.chat.type == "private",
        reply_to=str(message.message_id),
    )
    return Read(
        number,
        inbound,
        press=press.id,
        pressed=str(message.message_id) if message.date and _is_for(press.from_, message) else None,
        username=_introduced(me, message.from_).username,
    )


def _is_for(person: User, message: Message) -> bool:
    """Whether a message of ours was meant for this very person: in groups it answers theirs."""
    if message.chat.type == "private":
        return True
    answered = message.reply_to_message
    if answered is None or answered.from_ is None or answered.forum_topic_created is not None:
        return False
    return answered.from_.id == person.id


def _key_of(press: Callback, message: Message) -> str:
    """One for all presses of a button by one person, whichever node hears of them."""
    # Keys outlive the words and the people that they came with: this one tells of neither.
    what = f"{message.chat.id}:{message.message_id}:{press.from_.id}:{press.data}"
    return f"press:{hashlib.sha256(what.encode()).hexdigest()[:32]}"


def _value(data: str, message: Message) -> str:
    """The text of the choice: what the button carries, or its label where that was too long."""
    number = data.removeprefix(BY_LABEL)
    if not data.startswith(BY_LABEL) or not number.isdecimal() or message.reply_markup is None:
        return data
    buttons = [button for row in message.reply_markup.inline_keyboard for button in row]
    return buttons[int(number)].text if int(number) < len(buttons) else data


def _standing(number: int, change: Membership, me: Me) -> Read:
    was_here = change.old_chat_member.status in _HERE
    is_here = change.new_chat_member.status in _HERE
    if was_here == is_here or change.chat.type == "channel":
        return Read(number, why="membership")
    if was_here:
        why = "blocked" if change.chat.type == "private" else "removed"
        return Read(number, why=why, left=str(change.chat.id))
    sender = _person(change.from_)
    inbound = Inbound(
        event_key=str(number),
        address=Address(PLATFORM, me.account, str(change.chat.id)),
        sender=sender,
        message=Said(Role.USER, (), _time(change.date), sender=sender),
        kind=Kind.JOINED,
        direct=change.chat.type == "private",
        addressed=False,
    )
    return Read(number, inbound)


def _introduced(me: Me, user: User | None) -> Me:
    """Ourselves with the user name that an update tells."""
    if me.username is not None or user is None or user.id != me.id or not user.username:
        return me
    return replace(me, username=user.username)


def _address(message: Message, me: Me) -> Address:
    # Outside of topics the same field only numbers a chain of replies.
    in_topic = message.is_topic_message and message.message_thread_id is not None
    thread = str(message.message_thread_id) if in_topic else None
    return Address(PLATFORM, me.account, str(message.chat.id), thread)


def _sender(message: Message) -> Sender:
    """Who wrote: for channels and anonymous administrators the chat, not the pseudo-user."""
    if message.sender_chat is not None:
        return _as_sender(message.sender_chat)
    return _as_sender(message.chat) if message.from_ is None else _person(message.from_)


def _as_sender(chat: Chat) -> Sender:
    return Sender(str(chat.id), chat.title or chat.first_name)


def _person(user: User) -> Sender:
    name = f"{user.first_name} {user.last_name}".strip()
    return Sender(str(user.id), name, user.language_code)


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
