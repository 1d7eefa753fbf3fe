"""What is written is read back as it was, by this code and beside newer code."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.address import Address, Sender
from bot.domain.conversation import (
    ConversationId,
    InboundId,
    Step,
    StepKind,
    Turn,
    TurnId,
    TurnState,
    Usage,
)
from bot.domain.message import (
    Audio,
    Choice,
    Citation,
    File,
    Image,
    Inbound,
    Kind,
    Message,
    Outbound,
    Part,
    Reasoning,
    Role,
    Sent,
    Text,
    ToolCall,
    ToolResult,
    Unknown,
)
from bot.domain.records import Refusal
from bot.errors import Permanent
from bot.ports import Codec
from bot.store import codec
from bot.store.parts import KINDS
from tests.fakes import EPOCH

text = st.text(max_size=30)
parts = st.one_of(
    st.builds(Text, text),
    st.builds(Image, text, text, text),
    st.builds(Audio, text, text, text),
    st.builds(File, text, text, text, st.integers(0, 2**40)),
    st.builds(Reasoning, text),
    st.builds(ToolCall, text, text, text),
    st.builds(ToolResult, text, text, text, st.booleans()),
    st.just(Unknown("hologram", '{"kind":"hologram","z":[1, 2.50],"ü":"\\u00fc"}')),
)
senders = st.builds(Sender, text, text, st.none() | text, st.frozensets(text, max_size=2))
times = st.integers(-(10**15), 4 * 10**15).map(
    lambda micros: datetime.fromtimestamp(0, UTC) + timedelta(microseconds=micros)
)
messages = st.builds(
    Message,
    st.sampled_from(Role),
    st.lists(parts, max_size=4).map(tuple),
    times,
    st.integers(0, 2**40),
    st.none() | senders,
    st.none() | text,
)
addresses = st.builds(Address, text, text, text, st.none() | text)


@settings(deadline=None)
@given(messages)
def test_a_message_is_read_as_it_was_written(message: Message) -> None:
    assert codec.decode_message(codec.encode_message(message)) == message


@settings(deadline=None)
@given(
    st.builds(
        Inbound,
        text,
        addresses,
        senders,
        messages,
        st.sampled_from(Kind),
        st.booleans(),
        st.booleans(),
        st.none() | text,
        st.none() | text,
        st.none() | addresses,
    )
)
def test_an_inbound_is_read_as_it_was_written(inbound: Inbound) -> None:
    assert codec.decode_inbound(codec.encode_inbound(inbound)) == inbound


def test_a_piece_is_read_as_it_was_written_with_the_expiry_of_its_column() -> None:
    outbound = Outbound(
        "k",
        Address("web", "w", "c"),
        "**hi**",
        EPOCH,
        "m1",
        (Image("r"), Unknown("x", '{"kind":"x"}')),
        (Choice("Yes", "y"),),
        (Citation("Page", "u"),),
    )
    stored = codec.encode_outbound(outbound)
    assert codec.decode_outbound(stored, EPOCH) == outbound
    assert codec.decode_outbound(stored, None) == replace(outbound, expires_at=None)


def test_a_turn_and_its_steps_are_read_as_they_were_written() -> None:
    turn = Turn(
        TurnId(7),
        ConversationId(1),
        2,
        Sender("u", "Ann", "zh", frozenset({"operator"})),
        (InboundId(7), InboundId(9)),
        EPOCH,
        "customers",
        TurnState.CANCELLED,
        Sent("d", (("a", "b"),)),
        "main",
        "b",
        3,
        Usage(1, 2, 3, 4),
        ToolCall("c", "pay", "{}"),
    )
    step = Step(1, StepKind.TOOL, "k", '{"x":"é"}', Usage(5, 6), "small")
    assert codec.decode_turn(codec.encode_turn(turn)) == turn
    assert codec.decode_step(codec.encode_step(step)) == step
    assert codec.decode_sent(codec.encode_sent(turn.draft)) == turn.draft
    refusal = Refusal("busy", (("n", "5"),))
    assert codec.decode_refusal(codec.encode_refusal(refusal)) == refusal
    assert codec.decode_sent(None) is None
    assert codec.decode_refusal(None) is None


def test_every_kind_of_part_has_a_name_in_storage() -> None:
    assert {*KINDS.values(), Unknown} == set(get_args(Part))


def test_a_part_of_a_newer_parley_is_written_back_as_it_was() -> None:
    raw = '{"kind":"text","text":5}'
    stored = '{"role":"user","parts":[' + raw + '],"sent_at":"2026-01-05T09:00:00Z","v":1}'
    message = codec.decode_message(stored)
    assert message.parts == (Unknown("text", raw),)
    assert raw in codec.encode_message(message)


@pytest.mark.parametrize("raw", ["{}", '{"question":"?"}', '{"kind":"text","text":"?"}'])
def test_a_part_that_a_platform_sent_in_a_form_of_its_own_keeps_its_kind(raw: str) -> None:
    said = Message(Role.USER, (Unknown("poll", raw),), datetime(2026, 1, 5, tzinfo=UTC))
    (part,) = codec.decode_message(codec.encode_message(said)).parts
    assert isinstance(part, Unknown)
    assert part.kind == "poll"
    assert raw in part.raw
    again = codec.encode_message(replace(said, parts=(part,)))
    assert codec.decode_message(again).parts == (part,)


def test_a_part_that_was_stored_without_its_kind_is_read_all_the_same() -> None:
    stored = '{"role":"user","parts":[{},{"a":1}],"sent_at":"2026-01-05T09:00:00Z","v":1}'
    parts = (Unknown("unknown", "{}"), Unknown("unknown", '{"a":1}'))
    assert codec.decode_message(stored).parts == parts


@pytest.mark.parametrize("version", [0, 1])
def test_this_version_and_the_one_before_are_read(version: int) -> None:
    stored = '{"role":"user","parts":[],"sent_at":"2026-01-05T09:00:00Z","v":%d}'
    assert codec.decode_message(stored % version).parts == ()


def test_a_version_from_the_future_is_refused() -> None:
    stored = '{"role":"user","parts":[],"sent_at":"2026-01-05T09:00:00Z","v":2}'
    with pytest.raises(ValueError, match="version 2"):
        codec.decode_message(stored)


def test_a_time_without_a_zone_is_refused_in_both_directions() -> None:
    naive = datetime(2026, 1, 5)  # noqa: DTZ001
    with pytest.raises(ValueError, match="aware"):
        codec.encode_message(Message(Role.USER, (), naive))
    with pytest.raises(ValueError, match="timezone"):
        codec.decode_message('{"role":"user","parts":[],"sent_at":"2026-01-05T09:00:00","v":1}')
    turn = Turn(TurnId(1), ConversationId(1), 1, Sender("u"), (), naive, "x")
    with pytest.raises(ValueError, match="aware"):
        codec.encode_turn(turn)


def test_a_time_of_another_zone_stays_the_same_instant() -> None:
    there = EPOCH.astimezone(timezone(timedelta(hours=8)))
    stored = codec.encode_message(Message(Role.USER, (), there))
    assert codec.decode_message(stored).sent_at == EPOCH


def test_the_engine_is_given_the_stores_own_form() -> None:
    given: Codec = codec.JsonCodec()
    message = Message(Role.TOOL, (ToolResult("c", "clock", "noon"),), EPOCH)
    assert given.decode_message(given.encode_message(message)) == message
    both = codec.JsonCodec()
    assert both.decode_parts(both.encode_parts(message.parts)) == message.parts


def test_what_the_engine_cannot_read_is_an_error_of_ours_that_quotes_nothing() -> None:
    with pytest.raises(Permanent) as refused:
        codec.JsonCodec().decode_message('{"role":"a secret"}')
    assert "secret" not in str(refused.value)
    assert refused.value.__suppress_context__
