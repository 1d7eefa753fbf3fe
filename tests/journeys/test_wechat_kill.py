"""`kill -9` where the answer leaves in the platform's own call; messages are in `test_kill.py`."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from bot.clock import SystemClock
from bot.domain.records import OutboxState
from bot.store.postgres import PostgresStore
from bot.store.sqlite import SqliteStore
from tests.journeys.databases import KINDS, database
from tests.journeys.killing import PATIENCE, THINKER, calling, held
from tests.journeys.program import a_moment
from tests.journeys.wechat_kills import Replies
from tests.peers.model_answers import Answer, Flaw, FlawKind, Script, by_words, echo, in_turn

pytestmark = pytest.mark.slow

Make = Callable[[Script], Replies]
Stands = Callable[[Replies], Awaitable[None]]


@pytest_asyncio.fixture(params=KINDS)
async def make(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Make, None]:
    """A world on an empty database, once its script is known."""
    async with database(request, tmp_path) as url:
        yield lambda script: Replies(tmp_path, url, script)


@asynccontextmanager
async def killed(
    found: Replies, text: str, stands: Stands, *, fault: str | None = None
) -> AsyncGenerator[tuple[str | None, str | None], None]:
    """What is said in the calls of a message in whose work the kill comes, and in the next's."""
    async with found:
        await found.program.start(fault=fault)
        first = asyncio.create_task(found.ask(text))
        await stands(found)
        await found.program.kill()
        await found.program.start()
        said, second = await first, await found.ask("still there?")
        # On a busy machine the restart takes longer than the three calls: then the answer comes
        # with the next message's, before it.
        if said is None and second is not None and "\n\n" in second:
            said, _, second = second.partition("\n\n")
        yield said, second
        assert found.out_of_order() == 0


async def at_fault(found: Replies) -> None:
    """The store stands still."""
    await found.program.at_fault()


async def is_asked(found: Replies) -> None:
    """The model has the question."""
    await found.model.wait_for(lambda: found.model.asked, PATIENCE)


def is_running(tool: str) -> Stands:
    """The tool has been called."""

    async def stands(found: Replies) -> None:
        async with asyncio.timeout(PATIENCE):
            while not found.runs(tool):
                await a_moment()

    return stands


async def test_in_the_model_call_a_later_delivery_takes_the_answer(make: Make) -> None:
    found = make(by_words({"think": held("I have thought about it.", at=0)}, echo()))
    async with killed(found, "please think", is_asked) as said:
        assert said == ("I have thought about it.", "You said: still there? [answer-1]")
        assert len(found.asked("please think")) == 2


async def test_in_the_middle_of_the_models_body_nothing_of_the_half_is_shown(make: Make) -> None:
    half = Answer(text="The whole of it.", flaw=Flaw(FlawKind.STALL))
    found = make(by_words({"think": in_turn(half, Answer(text="The whole of it."))}, echo()))
    async with killed(found, "please think", is_asked) as said:
        assert said == ("The whole of it.", "You said: still there? [answer-1]")


async def test_in_a_tool_what_was_finished_before_it_is_not_done_again(make: Make) -> None:
    found = make(by_words({"read": calling("stamp", "hang_reading")}, echo()))
    async with killed(found, "please read", is_running("hang_reading")) as said:
        assert said == ("Done: the book is read", "You said: still there? [answer-1]")
        assert (found.runs("stamp"), found.runs("hang_reading")) == (1, 2)


async def test_in_a_tool_that_may_run_once_it_is_not_run_again_and_the_person_is_told(
    make: Make,
) -> None:
    found = make(by_words({"pay": calling("hang_paying")}, echo()))
    async with killed(found, "please pay", is_running("hang_paying")) as (first, second):
        assert first is not None
        assert "unknown" in first
        assert second == "You said: still there? [answer-1]"
        assert found.runs("hang_paying") == 1


async def was_taken(found: Replies) -> bool:
    """Whether the program that was killed had a piece in its hands."""
    url, clock = found.program.config["database"]["url"], SystemClock()
    store: SqliteStore | PostgresStore
    if url.startswith("sqlite"):
        store = SqliteStore(Path(url.removeprefix("sqlite:///")), clock, mode="read")
    else:
        store = PostgresStore(url, mode="read")
    await store.open()
    try:
        return bool(await store.outbox_rows([OutboxState.SENDING]))
    finally:
        await store.close()


SAID = "It is said."


def the_same() -> Script:
    """However often it is asked."""
    return by_words({"say": Answer(text=SAID)}, echo())


@pytest.mark.parametrize(
    "point", ["store.accept:after", "store.finish:after", "store.take_for_slot:before#2"]
)
async def test_until_a_call_has_taken_the_answer_a_later_delivery_takes_it_unmarked(
    make: Make, point: str
) -> None:
    async with killed(make(the_same()), "say it", at_fault, fault=point) as said:
        assert said == (SAID, "You said: still there? [answer-1]")


async def test_between_taking_it_and_writing_it_a_later_delivery_has_it_marked(make: Make) -> None:
    found, taken = make(the_same()), asyncio.Event()

    async def has_looked_twice(found: Replies) -> None:
        await found.program.at_fault()
        await found.program.kill()
        if await was_taken(found):
            taken.set()

    # The first look finds nothing; the second comes when the turn has ended. Where that takes
    # longer than the next look, nothing was taken: then a mark would be a lie.
    point = "store.take_for_slot:after#2"
    async with killed(found, "say it", has_looked_twice, fault=point) as said:
        first = f"(sent again) {SAID}" if taken.is_set() else SAID
        assert said == (first, "You said: still there? [answer-1]")
        assert await found.repeated() == taken.is_set()


async def test_after_the_reply_and_before_its_record_it_is_repeated_once_marked_and_counted(
    make: Make,
) -> None:
    found = make(the_same())
    async with killed(found, "say it", at_fault, fault="store.slot_replied:before") as said:
        second = f"(sent again) {SAID}\n\nYou said: still there? [answer-1]"
        assert said == (SAID, second)
        assert found.texts(THINKER) == [SAID, second]
        assert await found.repeated() == 1
