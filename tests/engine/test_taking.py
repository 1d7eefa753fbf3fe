"""What of the waiting messages is the next piece of work: every rule, and every order of them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from bot import Address, Inbound, Kind, Message, Role, Sender, Text
from bot.domain.address import Address as Where
from bot.domain.conversation import Conversation, ConversationId, InboundId, Turn, TurnId
from bot.domain.message import Image
from bot.domain.records import Head, Refusal, Waiting
from bot.engine.commands import Command
from bot.engine.taking import (
    COMMAND,
    SENTENCE,
    Amend,
    Limits,
    Obey,
    Say,
    Skip,
    Take,
    Wait,
    Work,
    next_work,
    resumed,
)
from tests.fakes import EPOCH

LIMITS = Limits(max_age=timedelta(hours=1), lane_limit=5)
ANN, BOB = Sender("a", "Ann"), Sender("b", "Bob")
BOSS = Sender("o", "Boss", roles=frozenset({"operator"}))


def row(
    n: int,
    text: str = "hello",
    *,
    sender: Sender = ANN,
    kind: Kind = Kind.MESSAGE,
    age: float = 0.0,
    direct: bool = True,
    album: str | None = None,
    refusal: Refusal | None = None,
    parts: tuple[Text | Image, ...] | None = None,
) -> Waiting:
    message = Message(Role.USER, parts if parts is not None else (Text(text),), EPOCH)
    inbound = Inbound(
        f"e{n}", Address("list", "me", "room"), sender, message, kind, direct, album=album
    )
    return Waiting(InboundId(n), inbound, EPOCH - timedelta(seconds=age), refusal)


def work(*rows: Waiting, limits: Limits = LIMITS) -> Work | None:
    return next_work(rows, EPOCH, limits)


def test_nothing_waits_and_there_is_nothing_to_do() -> None:
    assert work() is None


def test_consecutive_messages_of_one_sender_become_one_turn() -> None:
    one, two, three = row(1), row(2), row(3, sender=BOB)
    assert work(one, two, three) == Take((one, two))


def test_edits_and_recalls_come_before_everything_that_was_accepted_earlier() -> None:
    first, edit, recall = row(1), row(2, kind=Kind.EDITED), row(3, "", kind=Kind.RECALLED)
    assert work(first, edit, recall) == Amend((edit, recall))


def test_notices_and_what_was_taken_back_are_skipped() -> None:
    spoken, joined, empty = row(1), row(2, kind=Kind.JOINED), row(3, " ")
    assert work(spoken, joined, empty) == Skip((joined, empty))


def test_what_stands_beyond_the_limit_of_a_lane_is_told_so() -> None:
    rows = [row(n) for n in range(1, 8)]
    assert work(*rows) == Say(tuple(rows[5:]), "busy")


def test_a_message_that_was_refused_at_the_door_gets_its_sentence_in_its_order() -> None:
    refused = row(1, refusal=Refusal("too_long", (("size", "9"),)))
    assert work(refused, row(2)) == Say((refused,), "too_long", (("size", "9"),))
    first = row(1)
    assert work(first, replace(refused, id=InboundId(2))) == Take((first,))


def test_a_command_is_obeyed_in_its_order() -> None:
    command, spoken = row(1, "/new", kind=Kind.COMMAND), row(2)
    assert work(command, spoken) == Obey(command, Command.NEW)
    spoken, command = row(1), row(2, "帮助")
    assert work(spoken, command) == Take((spoken,))


def test_a_stop_takes_back_what_was_not_begun() -> None:
    one, two, stop, later = row(1), row(2), row(3, "/stop"), row(4)
    assert work(one, two, stop, later) == Say((one, two, stop), "stopped")


def test_in_a_group_a_stranger_takes_nothing_back_and_an_operator_does() -> None:
    one = row(1, direct=False)
    strangers = row(2, "/stop", sender=BOB, direct=False)
    bosses = row(3, "/stop", sender=BOSS, direct=False)
    assert work(one, strangers) == Take((one,))
    assert work(one, strangers, bosses) == Say((one, bosses), "stopped")


def test_what_waited_too_long_gets_one_sentence_and_the_rest_its_answer() -> None:
    old, new = row(1, age=3601), row(2)
    assert work(old, new) == Say((old,), "too_old")
    assert work(new) == Take((new,))


def test_what_cannot_be_read_is_said_so_and_a_word_beside_it_makes_it_a_question() -> None:
    picture, word = row(1, parts=(Image("ref"),)), row(2)
    assert work(picture) == Say((picture,), "unreadable")
    assert work(picture, word) == Take((picture, word))


def test_the_pictures_of_an_album_are_waited_for() -> None:
    picture = row(1, "look", album="x", age=0.25)
    assert work(picture) == Wait(0.75)
    assert work(replace(picture, received_at=EPOCH - timedelta(seconds=1))) is not None
    gathering = replace(LIMITS, gather=timedelta(seconds=3))
    assert work(row(1, age=1), limits=gathering) == Wait(2.0)


# ---- after a crash ---------------------------------------------------------------------------


def head(rows: Sequence[Waiting], *, route: str = "", ids: tuple[int, ...] = (1,)) -> Head:
    conversation = Conversation(
        ConversationId(1), "default", Where("list", "me", "room"), "list", ""
    )
    inbounds = tuple(InboundId(n) for n in ids)
    turn = Turn(TurnId(ids[0]), ConversationId(1), 1, ANN, inbounds, EPOCH, "", route=route)
    return Head(conversation, EPOCH, 1, turn=turn, waiting=tuple(rows))


def test_a_turn_that_was_begun_takes_its_own_messages_and_no_newer_ones() -> None:
    one, two = row(1), row(2)
    assert resumed(head([one, two])) == Take((one,))
    assert resumed(head([two])) is None
    assert resumed(replace(head([one]), turn=None)) is None


def test_a_sentence_that_was_begun_is_said_again_with_its_values() -> None:
    long = row(1, refusal=Refusal("too_long", (("size", "9"),)))
    again = resumed(head([long], route=f"{SENTENCE}too_long"))
    assert again == Say((long,), "too_long", (("size", "9"),))


def test_a_command_that_was_begun_is_obeyed_again() -> None:
    forget = row(1, "/forget", kind=Kind.COMMAND)
    assert resumed(head([forget], route=COMMAND)) == Obey(forget, Command.FORGET)


# ---- every order -----------------------------------------------------------------------------

TEXTS = st.sampled_from(["hello", "", "/stop", "/new", "停止", "yes"])
ROWS = st.lists(
    st.tuples(
        TEXTS,
        st.sampled_from([ANN, BOB, BOSS]),
        st.sampled_from(list(Kind)),
        st.sampled_from([0.0, 0.5, 4000.0]),
        st.sampled_from([None, "album"]),
        st.booleans(),
        st.booleans(),
    ),
    max_size=12,
)


@settings(max_examples=200, deadline=None)
@given(ROWS)
def test_whatever_waits_is_done_exactly_once_and_turns_keep_their_order(
    drawn: list[tuple[str, Sender, Kind, float, str | None, bool, bool]],
) -> None:
    waiting = [
        row(
            n,
            text,
            sender=sender,
            kind=kind,
            age=age,
            album=album,
            direct=direct,
            refusal=Refusal("too_long", (("size", "9"),)) if refused else None,
        )
        for n, (text, sender, kind, age, album, direct, refused) in enumerate(drawn, start=1)
    ]
    ids = [one.id for one in waiting]
    now, done, turns = EPOCH, [], []
    for _ in range(3 * len(waiting) + 1):
        found = next_work(waiting, now, LIMITS)
        if found is None:
            break
        if isinstance(found, Wait):
            assert 0 < found.seconds <= 1
            now += timedelta(seconds=found.seconds)
            continue
        rows = (found.row,) if isinstance(found, Obey) else found.rows
        assert rows
        if isinstance(found, Take):
            assert len({one.inbound.sender.id for one in rows}) == 1
            turns += [one.id for one in rows]
        done += [one.id for one in rows]
        waiting = [one for one in waiting if one not in rows]
    assert not waiting
    assert sorted(done) == ids
    assert turns == sorted(turns)
