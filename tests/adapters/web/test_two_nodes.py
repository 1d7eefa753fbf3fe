"""A visitor's pages on one node show what another node answers, as if it were answered here."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.web.events import Position, Stream
from adapters.web.hub import Hub
from adapters.web.relay import Relay
from adapters.web.render import Shown, event
from bot import Address
from tests.adapters.web import site
from tests.adapters.web.client import Event, Reader, read, shown, visiting
from tests.adapters.web.engine import Gate
from tests.adapters.web.site import Site
from tests.adapters.web.test_hub import Page

CHAT = "visitor"
TOOL = Shown("clock", "{}", "running", "")


@dataclass
class Wire:
    """The road between nodes; words travel when a test lets them."""

    hears: dict[str, dict[Address, Callable[[str], None]]] = field(default_factory=dict)
    growing: dict[Address, str] = field(default_factory=dict)
    waiting: list[Callable[[], None]] = field(default_factory=list)
    held: bool = False

    def at(self, node: str) -> "End":
        """This node's end of it."""
        self.hears.setdefault(node, {})
        return End(self, node)

    def deliver(self) -> None:
        """What has been told arrives."""
        going, self.waiting = self.waiting, []
        for word in going:
            word()

    def tell(self, node: str, address: Address, word: str) -> None:
        for other, hears in self.hears.items():
            if other != node and address in hears:
                self.waiting.append(lambda hear=hears[address]: hear(word))  # type: ignore[misc]  # binds it now
        if not self.held:
            self.deliver()


@dataclass
class End:
    """`Elsewhere` as one node has it."""

    wire: Wire
    node: str

    def watch(self, address: Address, hear: Callable[[str], None]) -> Callable[[], None]:
        here = self.wire.hears[self.node]
        here[address] = hear
        if (word := self.wire.growing.get(address)) is not None:
            hear(word)
        return lambda: here.pop(address, None) and None

    def watched(self, address: Address) -> bool:
        return any(address in hears for node, hears in self.wire.hears.items() if node != self.node)

    def grow(self, address: Address, word: str | None) -> None:
        if word is None:
            self.wire.growing.pop(address, None)
        else:
            self.wire.growing[address] = word
            self.wire.tell(self.node, address, word)

    async def told(self) -> None:
        """It is."""

    async def look(self) -> None:
        """Everything is known."""

    def say(self, address: Address, word: str, *, lasting: bool = False) -> None:
        self.wire.tell(self.node, address, word)


class World:
    """Two hubs and the wire between them."""

    def __init__(self) -> None:
        self.wire = Wire()
        self.x, self.y = self.hub("x"), self.hub("y")

    def hub(self, node: str) -> Hub:
        return Hub(Relay("web", self.wire.at(node)))


@pytest.fixture
def world() -> World:
    return World()


def message(turn: str, text: str) -> bytes:
    return event("message", {"turn": turn, "text": text}, id=f"{turn}.{len(text)}")


def names(stream: Stream) -> list[str]:
    return [each.name for each in read(stream.take())]


def test_a_page_sees_what_grows_on_another_node(world: World) -> None:
    assert not world.y.watched(CHAT)
    page = world.x.open(CHAT, None)
    assert world.y.watched(CHAT)
    growth = world.y.grow(CHAT, "7", began=1)
    world.y.show(CHAT, growth, "", (TOOL,))
    world.y.show(CHAT, growth, "one", (TOOL,))
    first = read(page.take())
    world.y.show(CHAT, growth, "one two", (TOOL,))
    second = read(page.take())
    world.y.end(CHAT, growth, "done", message("7", "one two three"))
    third = read(page.take())
    assert [each.name for each in first] == ["status", "draft"]
    assert [(each.name, each.id, each.data["text"]) for each in second] == [
        ("draft", "7.7", " two")
    ]
    assert [each.name for each in third] == ["message", "ended"]
    assert world.x._places[CHAT].growth is None
    world.x.leave(CHAT, page)
    assert not world.y.watched(CHAT)


def test_a_page_that_changes_its_node_in_mid_answer_is_given_the_whole_text(world: World) -> None:
    page = world.y.open(CHAT, None)
    growth = world.y.grow(CHAT, "7", began=1)
    world.y.show(CHAT, growth, "one", ())
    (draft,) = read(page.take())
    world.y.leave(CHAT, page)
    page = world.x.open(CHAT, Position.parse(draft.id))
    world.y.show(CHAT, growth, "one two", ())
    (snapshot,) = read(page.take())
    assert (snapshot.name, snapshot.data["text"]) == ("snapshot", "one two")


def test_a_page_whose_line_is_mended_goes_on_where_it_was(world: World) -> None:
    other = world.x.open(CHAT, None)
    page = world.x.open(CHAT, None)
    growth = world.y.grow(CHAT, "7", began=1)
    world.y.show(CHAT, growth, "one", ())
    (draft,) = read(page.take())
    world.x.leave(CHAT, page)
    world.y.show(CHAT, growth, "one two", ())
    page = world.x.open(CHAT, Position.parse(draft.id))
    (more,) = read(page.take())
    assert (more.name, more.data["text"]) == ("draft", " two")
    assert shown(read(other.take())) == "one two"


def test_an_end_that_a_page_had_on_the_other_node_is_not_told_again(world: World) -> None:
    page = world.x.open(CHAT, Position.parse("7.end"))
    fresh = world.x.open(CHAT, None)
    world.y.say(CHAT, "7", message("7", "had"))
    world.y.say(CHAT, "8", message("8", "new"))
    assert [each.data["turn"] for each in read(page.take())] == ["8", "8"]
    assert names(fresh) == ["message", "ended", "message", "ended"]


def test_what_is_told_twice_is_said_once(world: World) -> None:
    page = world.x.open(CHAT, None)
    world.y.say(CHAT, "7", message("7", "once"))
    world.y.say(CHAT, "7", message("7", "once"))
    assert names(page) == ["message", "ended"]


def test_what_was_forgotten_is_not_said_again_by_a_word_that_comes_once_more(world: World) -> None:
    page = world.x.open(CHAT, None)
    world.y.say(CHAT, "7", message("7", "my secret"))
    page.take()
    world.x.forget(CHAT)
    world.y.say(CHAT, "7", message("7", "my secret"))
    assert names(page) == []
    growth = world.y.grow(CHAT, "7", began=1)
    world.y.show(CHAT, growth, "my sec", ())
    assert names(page) == []


def test_a_text_that_is_overtaken_by_its_end_grows_no_more(world: World) -> None:
    page = world.x.open(CHAT, None)
    growth = world.y.grow(CHAT, "7", began=1)
    world.wire.held = True
    world.y.show(CHAT, growth, "half", ())
    world.y.say(CHAT, "7", message("7", "half and whole"))
    world.wire.waiting.reverse()
    world.wire.deliver()
    assert names(page) == ["message", "ended"]
    assert world.x._places[CHAT].growth is None


def test_a_run_that_began_later_takes_the_place_of_one_that_was_cut_off(world: World) -> None:
    page = world.x.open(CHAT, None)
    z = world.hub("z")
    lost = world.y.grow(CHAT, "7", began=1)
    world.y.show(CHAT, lost, "of the node that froze", ())
    page.take()
    again = z.grow(CHAT, "7", began=2)
    z.show(CHAT, again, "once more", ())
    (snapshot,) = read(page.take())
    assert (snapshot.name, snapshot.data["text"]) == ("snapshot", "once more")
    world.y.show(CHAT, lost, "of the node that froze and woke", ())
    assert page.take() == b""
    older = world.y.grow(CHAT, "6", began=3)
    world.y.show(CHAT, older, "of another time", ())
    assert page.take() == b""


def test_a_run_of_our_own_yields_to_one_that_began_later_elsewhere(world: World) -> None:
    page = world.x.open(CHAT, None)
    frozen = world.x.grow(CHAT, "7", began=1)
    world.x.show(CHAT, frozen, "before the frost", ())
    page.take()
    again = world.y.grow(CHAT, "7", began=2)
    world.y.show(CHAT, again, "after it", ())
    (snapshot,) = read(page.take())
    assert (snapshot.name, snapshot.data["text"]) == ("snapshot", "after it")


def test_a_run_that_is_left_shows_nothing_any_more(world: World) -> None:
    page = world.x.open(CHAT, None)
    growth = world.x.grow(CHAT, "7", began=1)
    world.x.show(CHAT, growth, "so far", ())
    page.take()
    world.x.drop(CHAT, growth)
    world.x.show(CHAT, growth, "so far and further", ())
    assert page.take() == b""
    assert not world.wire.growing


def test_what_grows_elsewhere_is_forgotten_with_the_last_page(world: World) -> None:
    page = world.x.open(CHAT, None)
    growth = world.y.grow(CHAT, "7", began=1)
    world.y.show(CHAT, growth, "half", ())
    world.x.leave(CHAT, page)
    assert not world.x._places
    page = world.x.open(CHAT, None)
    assert shown(read(page.take())) == "half"


def test_a_word_of_another_version_is_passed_over(world: World) -> None:
    page = world.x.open(CHAT, None)
    world.wire.tell("y", Address("web", "web", CHAT), '{"type": "sung"}')
    world.wire.tell("y", Address("web", "web", CHAT), "")
    assert page.take() == b""


def test_other_pages_are_told_what_was_accepted_elsewhere(world: World) -> None:
    page = world.x.open(CHAT, None)
    world.y.tell(CHAT, event("accepted", {"id": "q"}))
    assert names(page) == ["accepted"]


STEP = st.one_of(
    st.tuples(st.just("grow"), st.text(alphabet="ab字😀", max_size=3)),
    st.tuples(st.sampled_from(["look", "deliver", "lose", "move", "again"]), st.just("")),
)


@given(st.lists(STEP, max_size=40))
def test_wherever_a_page_looks_it_ends_with_the_text_that_was_said(
    steps: list[tuple[str, str]],
) -> None:
    world, begins, text = World(), count(1), ""
    world.wire.held = True
    page, there = Page(world.x), world.y
    growth = world.y.grow(CHAT, "7", began=next(begins))
    for step, value in steps:
        if step == "grow":
            text += value
            world.y.show(CHAT, growth, text, ())
        elif step == "look":
            page.look()
        elif step == "deliver":
            world.wire.deliver()
        elif step == "again":
            text, growth = "", world.y.grow(CHAT, "7", began=next(begins))
        else:
            page.lose()
            if step == "move":
                page.hub, there = there, page.hub
    page.look()
    world.y.say(CHAT, "7", message("7", "the end"))
    world.wire.deliver()
    page.look()
    assert page.text == "the end"


# ---- over the real wire --------------------------------------------------------------------


@asynccontextmanager
async def two_sites(gate: Gate, **changes: Any) -> AsyncIterator[tuple[Site, Site]]:
    wire = Wire()
    async with (
        site.running(gate=gate, elsewhere=wire.at("x"), **changes) as x,
        site.running(gate=gate, elsewhere=wire.at("y"), **changes) as y,
    ):
        yield x, y


def of(name: str, events: list[Event]) -> list[Event]:
    return [event for event in events if event.name == name]


async def test_a_page_that_reads_from_one_node_sees_the_turn_of_another() -> None:
    gate = Gate(0)
    async with two_sites(gate) as (x, y), visiting(x) as client:

        async def part(reader: Reader, text: str) -> None:
            await gate.let(1)
            await reader.until(lambda event: event.data.get("text", "").endswith(text))

        async with client.reading() as reader:
            client.site = y
            await client.post("q", "one two three")
            await part(reader, "one ")
            await part(reader, "two ")
            await gate.let()
            await reader.until("ended")
            assert [each.name for each in reader.events] == [
                *("accepted", "draft", "draft", "draft", "message", "ended")
            ]
            assert shown(of("draft", reader.events)) == "one two three"
