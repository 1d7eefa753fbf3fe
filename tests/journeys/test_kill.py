"""`kill -9` at named points: nothing is lost, nothing is answered twice, nothing half is left."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.journeys.databases import KINDS, database
from tests.journeys.killing import (
    DOUBLE,
    MEMBER,
    PAYER,
    READER,
    THINKER,
    UNHEARD,
    WATCHER,
    World,
    killed_at,
    killed_once,
    the_script,
    two_answers,
)
from tests.journeys.slack_kills import GrowingSlack, Slack
from tests.journeys.telegram_kills import Telegram
from tests.journeys.wechat_kills import Messages
from tests.peers.model_answers import echo

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

GROWING = (Telegram, GrowingSlack)
"""Where an answer grows on the screen."""
SENDING = (Telegram, Slack, Messages)
"""Where an answer is sent when it is whole, and the sending can be cut off."""
EVERY = (Telegram, Slack, GrowingSlack, Messages)


# ---- one kill, every conversation at another point ------------------------------------------


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=KINDS)
async def url(
    request: pytest.FixtureRequest,
    platform: type[World],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncGenerator[str, None]:
    """An empty database for the world in which everything happens at once."""
    del platform  # each has its own
    async with database(request, tmp_path_factory.mktemp("database")) as found:
        yield found


@pytest.fixture(scope="module", params=EVERY)
def platform(request: pytest.FixtureRequest) -> type[World]:
    """Where people write."""
    found: type[World] = request.param
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def after(
    platform: type[World], url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[World, None]:
    """Each conversation at another point when the one kill came; all of them went on."""
    found = platform(tmp_path_factory.mktemp("world"), url, the_script())
    async with killed_once(found):
        yield found


growing = pytest.mark.parametrize("platform", GROWING, indirect=True)
sending = pytest.mark.parametrize("platform", SENDING, indirect=True)


async def test_in_the_model_call(after: World) -> None:
    assert two_answers(after.texts(THINKER), "I have thought about it.")
    assert len(after.asked("please think")) == 2


@growing
async def test_in_mid_stream_in_a_private_chat_the_answer_grows_again(after: World) -> None:
    assert two_answers(after.texts(WATCHER), "one two three four five six")
    assert after.loose_ends(WATCHER) == 0


@growing
async def test_in_mid_stream_in_a_group_the_same_message_is_finished(after: World) -> None:
    assert two_answers(after.texts(MEMBER), "seven eight nine ten eleven twelve")
    assert after.loose_ends(MEMBER) == 0


async def test_in_a_tool_what_was_finished_before_it_is_not_done_again(after: World) -> None:
    assert two_answers(after.texts(READER), "Done: the book is read")
    assert after.runs("stamp") == 1
    assert after.runs("hang_reading") == 2
    assert len(after.asked("please read")) == 3


async def test_in_a_tool_that_may_run_once_it_is_not_run_again_and_the_person_is_told(
    after: World,
) -> None:
    first, second = after.texts(PAYER)
    assert "hang_paying" in first
    assert "unknown" in first
    assert "still there?" in second
    assert after.runs("hang_paying") == 1
    assert len(after.asked("please pay")) == 2


async def test_in_a_send_that_was_not_shown_one_answer_is(after: World) -> None:
    first, second = after.texts(UNHEARD)
    assert first.startswith("(sent again) ") is not after.reads_back
    assert "hello from Una" in first
    assert "still there?" in second


async def test_after_a_send_that_was_shown_it_is_marked_where_it_shows_again(after: World) -> None:
    first, *again, second = after.texts(DOUBLE)
    assert "hello from Dan" in first
    assert again == ([] if after.reads_back else [f"(sent again) {first}"])
    assert "still there?" in second
    assert after.loose_ends(DOUBLE) == 0
    assert await after.repeated() == (0 if after.reads_back else 2)


@sending
async def test_nobody_was_asked_about_what_was_thought_already(after: World) -> None:
    assert len(after.asked("hello from")) == 2


# ---- one point each, where the store itself stands still -------------------------------------


@pytest_asyncio.fixture(loop_scope="module", params=KINDS)
async def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[str, None]:
    """An empty database for one point."""
    async with database(request, tmp_path) as found:
        yield found


@pytest.fixture
def place(platform: type[World], tmp_path: Path, fresh: str) -> World:
    """A world that nothing has happened in."""
    return platform(tmp_path, fresh, echo())


async def test_after_accept_it_is_answered_and_the_repeat_of_it_is_not(place: World) -> None:
    async with killed_at(place, "store.accept:after", "do not lose me") as found:
        # The platform was never told that we had it, so it brings it until it is.
        await found.wait_for(found.came_again)
        # Only the delivery stands still here. Now and then the node has claimed the lane by itself
        # and is at any later point when it is killed; what may follow then is what follows there.
        begun = len(found.model.asked) - 2
        first, _ = found.texts(THINKER)
        marked = first.removeprefix("(sent again) ") if not found.reads_back else first
        assert marked in {f"You said: do not lose me [answer-{n}]" for n in (1, 1 + begun)}
        assert two_answers(found.texts(THINKER), first)
        assert begun in {0, 1}


async def test_before_the_send_it_is_sent_and_marked_where_nobody_can_know(place: World) -> None:
    async with killed_at(place, "store.finish:after", "send it once") as found:
        mark = "" if found.reads_back else "(sent again) "
        assert two_answers(found.texts(THINKER), f"{mark}You said: send it once [answer-1]")
        assert await found.repeated() == (0 if found.reads_back else 1)


async def test_before_it_is_marked_as_sending_the_pieces_leave_once_and_in_order(
    place: World,
) -> None:
    long = " ".join(f"word{n:04}" for n in range(place.long))
    async with killed_at(place, "store.take:before", long) as found:
        texts = found.texts(THINKER)
        assert len(texts) > 2
        assert " ".join(texts[:-1]) == f"You said: {long} [answer-1]"
        assert not any("sent again" in text for text in texts)


async def test_after_the_send_and_before_its_record_it_is_marked_where_it_shows_again(
    place: World,
) -> None:
    async with killed_at(place, "store.sent:before", "say it twice") as found:
        first, *again, second = found.texts(THINKER)
        assert first == "You said: say it twice [answer-1]"
        assert again == ([] if found.reads_back else [f"(sent again) {first}"])
        assert "still there?" in second
        assert await found.repeated() == (0 if found.reads_back else 1)
        assert await found.ambiguous() == (0 if found.reads_back else 1)
