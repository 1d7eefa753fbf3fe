"""Whatever happens to the lines, every page ends with the text that was said."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.web.events import ANSWERS_KEPT, QUEUE, Position, Stream
from adapters.web.hub import IDLE_KEPT, Hub
from adapters.web.render import event, line_of, message_event
from bot import LOCALES, Address, Outbound, sentence
from tests.adapters.web.client import Event, read
from tests.fakes import EPOCH

CHAT = "visitor"
ADDRESS = Address("web", "web", CHAT)


@dataclass
class Page:
    """A page that reads now and then, and loses its line now and then."""

    hub: Hub
    text: str = ""
    last: str = ""
    stream: Stream | None = field(default=None)

    def look(self) -> list[Event]:
        """Read what there is; without a line, get one first."""
        if self.stream is None:
            self.stream = self.hub.open(CHAT, Position.parse(self.last))
        events = read(self.stream.take())
        for each in events:
            if each.name == "draft":
                self.text += each.data["text"]
            elif each.name in {"snapshot", "message"}:
                self.text = each.data["text"]
            self.last = each.id or self.last
        return events

    def lose(self) -> None:
        """The line breaks; what was read is kept."""
        if self.stream is not None:
            self.hub.leave(CHAT, self.stream)
            self.stream = None


TEXT = st.text(alphabet="ab字😀", max_size=3)
STEP = st.one_of(
    st.tuples(st.just("grow"), TEXT),
    st.tuples(st.just("replace"), TEXT),
    st.tuples(st.just("look"), st.just("")),
    st.tuples(st.just("lose"), st.just("")),
    st.tuples(st.just("again"), st.just("")),
    st.tuples(st.just("restart"), st.just("")),
)


@given(st.lists(STEP, max_size=40))
def test_a_page_that_looks_sees_exactly_the_text(steps: list[tuple[str, str]]) -> None:
    hub, text = Hub(), ""
    growth, page = hub.grow(CHAT, "7"), Page(hub)
    for step, value in steps:
        if step in {"grow", "replace"}:
            text = text + value if step == "grow" else value
            growth.show(text, ())
        elif step == "look":
            page.look()
            # Until a turn that is run again has a word, its old ones stand there
            assert page.text == text or not text
        elif step == "lose":
            page.lose()
        elif step == "again":
            text, growth = "", hub.grow(CHAT, "7")
        else:
            # The same turn, run again by a server that has forgotten all pages
            page.lose()
            hub = page.hub = Hub()
            text = ""
            growth = hub.grow(CHAT, "7")
    page.look()
    assert page.text == text or not text


def _message(turn: str, text: str) -> bytes:
    return event("message", {"turn": turn, "text": text}, id=f"{turn}.{len(text)}")


def test_a_page_that_was_away_for_several_answers_hears_those_that_are_kept() -> None:
    hub = Hub()
    page = Page(hub)
    page.look()
    for turn in range(10):
        hub.say(CHAT, str(turn), _message(str(turn), f"answer {turn}"))
        if turn == 6:
            page.look()
            page.lose()
    heard = [each.data["text"] for each in page.look() if each.name == "message"]
    assert heard == ["answer 7", "answer 8", "answer 9"]
    page.lose()
    assert page.look() == []


def test_a_page_hears_what_was_said_on_a_node_that_does_not_know_its_last_turn() -> None:
    hub = Hub()
    hub.say(CHAT, "4", event("message", {"text": "known"}, id="4.5"))
    hub.say(CHAT, "7", event("message", {"text": "Forgotten."}, id="7.10"))
    page = Page(hub, last="5.end")
    assert [each.data["text"] for each in page.look() if each.name == "message"] == ["Forgotten."]


def _answer(turn: str, text: str) -> bytes:
    return message_event(line_of(Outbound(f"{turn}/0", ADDRESS, text), EPOCH))


def _texts(events: list[Event]) -> list[str]:
    return [each.data["text"] for each in events if each.name == "message"]


@pytest.mark.parametrize("locale", LOCALES)
def test_after_the_answer_to_forget_nothing_before_it_is_told_again(locale: str) -> None:
    hub = Hub()
    page = Page(hub, last="5.end")
    done = sentence("forgotten", locale)
    hub.say(CHAT, "6", _answer("6", "my secret"))
    hub.say(CHAT, "7", _answer("7", done))
    hub.say(CHAT, "8", _answer("8", "new"))
    assert _texts(page.look()) == [done, "new"]
    assert len(hub.said(CHAT)) == 2


def test_what_is_to_be_forgotten_is_told_nobody_whether_a_page_is_open_or_not() -> None:
    hub = Hub()
    hub.say(CHAT, "6", _answer("6", "my secret"))
    hub.forget(CHAT)
    assert hub.said(CHAT) == []
    page = Page(hub, last="5.end")
    assert page.look() == []
    hub.say(CHAT, "7", _answer("7", "another"))
    hub.forget(CHAT)
    assert hub.said(CHAT) == []
    assert _texts(page.look()) == ["another"]
    hub.forget("somebody else")


def test_a_page_that_reads_nothing_is_hung_up_on() -> None:
    hub = Hub()
    stream = hub.open(CHAT, None)
    for _ in range(QUEUE):
        hub.tell(CHAT, b"x")
    assert not stream.closed
    hub.tell(CHAT, b"x")
    assert stream.closed


def test_what_nobody_looks_at_is_forgotten_in_time() -> None:
    hub = Hub()
    for n in range(IDLE_KEPT + 10):
        for turn in range(ANSWERS_KEPT + 2):
            hub.say(f"visitor {n}", str(turn), b"x")
        hub.leave(f"quiet {n}", hub.open(f"quiet {n}", None))
    assert not hub._places
    assert len(hub._idle) == IDLE_KEPT


def test_a_draft_that_was_left_behind_gives_way_to_the_next_turn() -> None:
    hub = Hub()
    page = Page(hub)
    old = hub.grow(CHAT, "7")
    old.show("never ended", ())
    page.look()
    new = hub.grow(CHAT, "8")
    new.show("here", ())
    old.show("never ended, still", ())
    (draft,) = page.look()
    assert (draft.name, draft.data["turn"], draft.data["text"]) == ("draft", "8", "here")
    hub.end(CHAT, old, "interrupted")
    new.show("here I am", ())
    assert [each.name for each in page.look()] == ["ended", "draft"]


def test_the_message_of_a_turn_ends_its_draft() -> None:
    hub = Hub()
    page = Page(hub)
    growth = hub.grow(CHAT, "7")
    growth.show("half", ())
    page.look()
    hub.say(CHAT, "7", _message("7", "half and whole"))
    page.look()
    assert page.text == "half and whole"
    growth.show("half and", ())
    assert page.look() == []
