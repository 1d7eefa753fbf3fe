"""What a terminal sends becomes an inbound, or a sentence."""

import pytest

from adapters.terminal.events import Attach, Look, Say, Stop, read, written
from adapters.terminal.events import Draft as DraftEvent
from adapters.terminal.normalise import message, stop, wanted
from bot import Address, Kind, Permanent, Sender
from tests.fakes import EPOCH


def test_a_line_is_a_message_of_its_writer_in_their_own_chat() -> None:
    inbound = message(Say("ann", "m1", " hello ", "zh"), "terminal", EPOCH)
    assert inbound is not None
    assert inbound.event_key == "m1"
    assert inbound.address == Address("terminal", "terminal", "ann")
    assert inbound.sender == Sender("ann", "ann", "zh")
    assert (inbound.kind, inbound.text) == (Kind.MESSAGE, "hello")
    assert inbound.direct
    assert inbound.addressed


@pytest.mark.parametrize(
    ("text", "kind"),
    [("/new", Kind.COMMAND), ("/", Kind.MESSAGE), ("/ 2", Kind.MESSAGE), ("1/2", Kind.MESSAGE)],
)
def test_a_slash_and_a_word_are_a_command(text: str, kind: Kind) -> None:
    inbound = message(Say("ann", "m1", text), "terminal", EPOCH)
    assert inbound is not None
    assert inbound.kind is kind


@pytest.mark.parametrize("text", ["", "  \n", "\0"])
def test_nothing_is_no_message(text: str) -> None:
    assert message(Say("ann", "m1", text), "terminal", EPOCH) is None


def test_a_ctrl_c_is_the_command_under_a_key_of_its_own() -> None:
    inbound = stop(Stop("ann", "m1"), "terminal", EPOCH)
    assert (inbound.kind, inbound.text, inbound.event_key) == (Kind.COMMAND, "/stop", "stop:m1")


@pytest.mark.parametrize(
    ("kind", "args"),
    [
        (Attach, {}),
        (Attach, {"chat": ""}),
        (Say, {"chat": "ann", "id": "a b", "text": "x"}),
        (Say, {"chat": "ann", "id": "a", "text": 7}),
        (Look, {"chat": "ann", "limit": 0}),
    ],
)
def test_other_arguments_are_refused(kind: type[object], args: dict[str, object]) -> None:
    with pytest.raises(Permanent, match="cannot be used"):
        wanted(args, kind)


def test_an_event_is_read_as_it_was_written_and_a_newer_one_passed_over() -> None:
    event = DraftEvent("7", "hello", whole=True)
    assert read(written(event)) == event
    assert read({"event": "hologram"}) is None
