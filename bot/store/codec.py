"""Domain values as JSON text and back: the one way to keep a message, a piece, a turn.

Each part carries its `kind`. A part of a kind that this code does not know becomes `Unknown` and
is written back as it was. Every stored text carries `v`; this code reads its own and the one
before. A time without a zone is refused in both directions.
"""

from datetime import datetime
from typing import Annotated, Generic, TypeVar

from msgspec import Meta, MsgspecError, Raw, Struct
from msgspec.json import Decoder, Encoder

from bot.domain.address import Address, Sender
from bot.domain.conversation import Step, Turn
from bot.domain.message import (
    Choice,
    Citation,
    Inbound,
    Kind,
    Message,
    Outbound,
    Part,
    Role,
    Sent,
)
from bot.domain.records import Refusal
from bot.errors import Permanent
from bot.store.parts import parts_of, raws_of
from bot.store.times import aware

VERSION = 1
READS = frozenset({VERSION - 1, VERSION})
UNREADABLE = (MsgspecError, TypeError, ValueError)
"""What the decoders here raise at a text that is not what it should be."""

_T = TypeVar("_T")
_Aware = Annotated[datetime, Meta(tz=True)]


class _Message(Struct, omit_defaults=True):
    role: Role
    parts: tuple[Raw, ...]
    sent_at: _Aware
    id: int = 0
    sender: Sender | None = None
    platform_id: str | None = None
    v: int = 0


class _Inbound(Struct, omit_defaults=True):
    event_key: str
    address: Address
    sender: Sender
    message: _Message
    kind: Kind = Kind.MESSAGE
    direct: bool = True
    addressed: bool = True
    album: str | None = None
    reply_to: str | None = None
    moved_to: Address | None = None
    v: int = 0


class _Outbound(Struct, omit_defaults=True):
    key: str
    address: Address
    text: str
    reply_to: str | None = None
    attachments: tuple[Raw, ...] = ()
    choices: tuple[Choice, ...] = ()
    citations: tuple[Citation, ...] = ()
    v: int = 0


class _Parts(Struct):
    parts: tuple[Raw, ...]
    v: int = 0


class _Stored(Struct, Generic[_T]):
    """A value without a part in it, which msgspec reads and writes as it is."""

    value: _T
    v: int = 0


_encode = Encoder().encode
_decode_message = Decoder(_Message).decode
_decode_inbound = Decoder(_Inbound).decode
_decode_outbound = Decoder(_Outbound).decode
_decode_parts = Decoder(_Parts).decode
_decode_turn = Decoder(_Stored[Turn]).decode
_decode_step = Decoder(_Stored[Step]).decode
_decode_sent = Decoder(_Stored[Sent]).decode
_decode_refusal = Decoder(_Stored[Refusal]).decode


class JsonCodec:
    """What the engine's journal is given: messages as JSON text."""

    def encode_message(self, message: Message) -> str:
        return encode_message(message)

    def decode_message(self, text: str) -> Message:
        try:
            return decode_message(text)
        except UNREADABLE:
            # Without the cause: it may quote what somebody said.
            raise Permanent("a journal step that cannot be read") from None

    def encode_parts(self, parts: tuple[Part, ...]) -> str:
        return _text(_Parts(raws_of(parts), VERSION))

    def decode_parts(self, text: str) -> tuple[Part, ...]:
        found = _decode_parts(text)
        _check(found.v)
        return parts_of(found.parts)


def encode_message(message: Message) -> str:
    """A transcript entry; its sequence number is kept too."""
    return _text(_wire_message(message))


def decode_message(text: str) -> Message:
    """What `encode_message` wrote."""
    return _message(_decode_message(text))


def encode_inbound(inbound: Inbound) -> str:
    """What an inbox row holds until its journal time is over."""
    return _text(
        _Inbound(
            inbound.event_key,
            inbound.address,
            inbound.sender,
            _wire_message(inbound.message),
            inbound.kind,
            inbound.direct,
            inbound.addressed,
            inbound.album,
            inbound.reply_to,
            inbound.moved_to,
            VERSION,
        )
    )


def decode_inbound(text: str) -> Inbound:
    """What `encode_inbound` wrote."""
    found = _decode_inbound(text)
    _check(found.v)
    return Inbound(
        found.event_key,
        found.address,
        found.sender,
        _message(found.message),
        found.kind,
        found.direct,
        found.addressed,
        found.album,
        found.reply_to,
        found.moved_to,
    )


def encode_outbound(outbound: Outbound) -> str:
    """A piece, but for `expires_at`: that is a column, which a retry clears."""
    return _text(
        _Outbound(
            outbound.key,
            outbound.address,
            outbound.text,
            outbound.reply_to,
            raws_of(outbound.attachments),
            outbound.choices,
            outbound.citations,
            VERSION,
        )
    )


def decode_outbound(text: str, expires_at: datetime | None) -> Outbound:
    """What `encode_outbound` wrote, with its column."""
    found = _decode_outbound(text)
    _check(found.v)
    return Outbound(
        found.key,
        found.address,
        found.text,
        expires_at,
        found.reply_to,
        parts_of(found.attachments),
        found.choices,
        found.citations,
    )


def encode_turn(turn: Turn) -> str:
    """A turn's row."""
    aware(turn.now)
    return _text(_Stored(turn, VERSION))


def decode_turn(text: str) -> Turn:
    """What `encode_turn` wrote."""
    turn = _value(_decode_turn(text))
    aware(turn.now)
    return turn


def encode_step(step: Step) -> str:
    """A step's row; its body is the engine's text and is not looked into."""
    return _text(_Stored(step, VERSION))


def decode_step(text: str) -> Step:
    """What `encode_step` wrote."""
    return _value(_decode_step(text))


def encode_sent(sent: Sent | None) -> str | None:
    """Where an answer or a draft stands."""
    return None if sent is None else _text(_Stored(sent, VERSION))


def decode_sent(text: str | None) -> Sent | None:
    """What `encode_sent` wrote."""
    return None if text is None else _value(_decode_sent(text))


def encode_refusal(refusal: Refusal | None) -> str | None:
    """Why a message gets a sentence."""
    return None if refusal is None else _text(_Stored(refusal, VERSION))


def decode_refusal(text: str | None) -> Refusal | None:
    """What `encode_refusal` wrote."""
    return None if text is None else _value(_decode_refusal(text))


def _wire_message(message: Message) -> _Message:
    if message.sent_at.tzinfo is None:
        aware(message.sent_at)
    return _Message(
        message.role,
        raws_of(message.parts),
        message.sent_at,
        message.id,
        message.sender,
        message.platform_id,
        VERSION,
    )


def _message(found: _Message) -> Message:
    _check(found.v)
    return Message(
        found.role, parts_of(found.parts), found.sent_at, found.id, found.sender, found.platform_id
    )


def _value(stored: "_Stored[_T]") -> _T:
    _check(stored.v)
    return stored.value


def _check(version: int) -> None:
    if version not in READS:
        raise ValueError(f"stored text of version {version}; this code reads {sorted(READS)}")


def _text(value: Struct) -> str:
    return _encode(value).decode()
