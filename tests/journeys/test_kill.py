"""`kill -9` at named points: nothing is lost, nothing is answered twice, nothing half is left."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from tests.journeys.databases import KINDS, database
from tests.journeys.program import Program, a_moment, telegram_config
from tests.peers.faults import hang, holds
from tests.peers.model import ModelPeer
from tests.peers.model_answers import Answer, Asked, Call, Script, by_words, echo, in_turn
from tests.peers.telegram import TelegramPeer
from tests.peers.telegram_updates import GROUP

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

Json = dict[str, Any]
PATIENCE = 30.0
"""Seconds; an idle machine needs a hundredth of it."""

PLUGIN = '''"""Tools that write down every run; two of them do not return from their first."""

import asyncio
from pathlib import Path

from bot import tool

FOLDER = Path(__file__).parent


def count(name: str) -> int:
    """One more run of it."""
    with (FOLDER / name).open("a") as file:
        file.write("run\\n")
    return len((FOLDER / name).read_text().splitlines())


@tool(effect="once")
async def stamp() -> str:
    """Stamp a letter."""
    return f"stamped {count('stamp')}"


@tool
async def hang_reading() -> str:
    """Read a slow book."""
    if count("hang_reading") == 1:
        await asyncio.Event().wait()
    return "the book is read"


@tool(effect="once")
async def hang_paying() -> str:
    """Pay a bill."""
    if count("hang_paying") == 1:
        await asyncio.Event().wait()
    return "the bill is paid"
'''


def person(number: int, name: str) -> Json:
    """Somebody with a private chat of their own."""
    return {"id": number, "is_bot": False, "first_name": name, "language_code": "en"}


THINKER = person(2001, "Thea")  # the model holds back its answer
WATCHER = person(2002, "Wim")  # an answer grows in a private chat
MEMBER = person(2003, "Mia")  # an answer grows in a group
READER = person(2004, "Ria")  # a tool without effect runs, after one that is finished
PAYER = person(2005, "Pia")  # a tool that may run once runs
UNHEARD = person(2006, "Una")  # the send is on the wire and not on the screen
DOUBLE = person(2007, "Dan")  # the send is on the screen and not recorded
SENDERS = (THINKER, WATCHER, READER, PAYER, UNHEARD, DOUBLE)


def held(text: str, *, at: int) -> Script:
    """Stands still before a chunk of its first answer; says it whole the second time."""
    waiting = Answer(text=text, chunks=6, waits={at: asyncio.Event()})
    return in_turn(waiting, Answer(text=text, chunks=6))


def calling(*names: str) -> Script:
    """Calls one tool after the other, then says what the last one said."""

    def script(asked: Asked) -> Answer:
        done = sum(message["role"] == "tool" for message in asked.messages)
        if done < len(names):
            return Answer(calls=[Call(names[done])])
        return Answer(text=f"Done: {asked.results[-1]}")

    return script


def the_script() -> Script:
    """What the model says to whom."""
    return by_words(
        {
            "think": held("I have thought about it.", at=0),
            "stream": held("one two three four five six", at=3),
            "group": held("seven eight nine ten eleven twelve", at=3),
            "read": calling("stamp", "hang_reading"),
            "pay": calling("hang_paying"),
        },
        echo(),
    )


@dataclass(frozen=True)
class World:
    """The peers and the program, killed and started again."""

    folder: Path
    telegram: TelegramPeer
    model: ModelPeer
    program: Program

    def runs(self, tool: str) -> int:
        """How often a tool of the plugin ran, over all lives of the program."""
        file = self.folder / tool
        return len(file.read_text().splitlines()) if file.exists() else 0

    def asked(self, words: str) -> list[Asked]:
        """What the model was asked about this, oldest first."""
        return [asked for asked in self.model.asked if words in asked.last_user]

    async def repeated(self) -> float:
        """How many sends `/metrics` counts as made again."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.program.url}/metrics") as response,
        ):
            text = await response.text()
        name = 'parley_sends_total{adapter="telegram",outcome="repeated"}'
        return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))


@asynccontextmanager
async def world(folder: Path, url: str, script: Script, **bot: Any) -> AsyncGenerator[World, None]:
    """A program that is not started yet, between its peers."""
    plugin = folder / "counted.py"
    plugin.write_text(PLUGIN, encoding="utf-8")
    pace = {"per_second": 0, "chat_per_second": 0, "group_per_minute": 0}
    async with TelegramPeer() as telegram, ModelPeer(script) as model:
        config = telegram_config(
            telegram,
            model,
            database=url,
            bot={"stream": "draft", **pace, **bot},
            plugins=[{"use": str(plugin)}],
        )
        program = Program(folder, config)
        try:
            yield World(folder, telegram, model, program)
        finally:
            await program.kill()


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=KINDS)
async def url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[str, None]:
    """An empty database for the world in which everything happens at once."""
    async with database(request, tmp_path_factory.mktemp("database")) as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def after(url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[World, None]:
    """Seven conversations, each at another point, when the one kill comes; then all go on."""
    async with world(tmp_path_factory.mktemp("world"), url, the_script()) as found:
        await found.program.start()
        begin(found.telegram)
        await everything_stands(found)
        await found.program.kill()
        await found.program.start()
        go_on(found.telegram)
        await found.telegram.wait_for(
            lambda: everybody_has_the_second_answer(found.telegram), PATIENCE
        )
        yield found


def begin(telegram: TelegramPeer) -> None:
    """Everybody's first message."""
    for sender, fault in ((UNHEARD, hang()), (DOUBLE, hang(effect=True))):
        when = holds({"chat_id": sender["id"]})
        telegram.faults.plan(fault, method="sendMessage", when=when)
    say = telegram.updates
    telegram.push(
        say.text("please think", THINKER),
        say.text("please stream", WATCHER),
        say.mention("please group", MEMBER),
        say.text("please read", READER),
        say.text("please pay", PAYER),
        say.text("hello from Una", UNHEARD),
        say.text("hello from Dan", DOUBLE),
    )


async def everything_stands(world: World) -> None:
    """Wait until each conversation is at its point."""
    telegram, model = world.telegram, world.model
    async with asyncio.timeout(PATIENCE):
        # Another process writes the files.
        while not (world.runs("hang_reading") and world.runs("hang_paying")):
            await a_moment()
    await model.wait_for(lambda: world.asked("think"), PATIENCE)
    await telegram.wait_for(
        lambda: (
            any("one two" in text for draft in telegram.drafts(WATCHER) for text in draft.texts)
            and any("seven" in text for text in telegram.texts(GROUP))
            and not telegram.faults.waiting
        ),
        PATIENCE,
    )


def go_on(telegram: TelegramPeer) -> None:
    """Everybody writes once more."""
    for sender in SENDERS:
        telegram.push(telegram.updates.text("still there?", sender))
    telegram.push(telegram.updates.mention("still there?", MEMBER))


def everybody_has_the_second_answer(telegram: TelegramPeer) -> bool:
    return all(
        any("still there?" in text for text in telegram.texts(chat)) for chat in (*SENDERS, GROUP)
    )


def two_answers(texts: list[str], first: str) -> bool:
    """The first answer once, the second once, nothing else, in order."""
    return len(texts) == 2 and texts[0] == first and "still there?" in texts[1]


async def test_in_the_model_call(after: World) -> None:
    assert two_answers(after.telegram.texts(THINKER), "I have thought about it.")


async def test_in_mid_stream_in_a_private_chat_the_draft_grows_again(after: World) -> None:
    assert two_answers(after.telegram.texts(WATCHER), "one two three four five six")
    drafts = after.telegram.drafts(WATCHER)
    assert [draft.ended_by for draft in drafts] == ["message"] * len(drafts)


async def test_in_mid_stream_in_a_group_the_same_message_is_finished(after: World) -> None:
    assert two_answers(after.telegram.texts(GROUP), "seven eight nine ten eleven twelve")
    first = after.telegram.messages(GROUP)[0]
    assert not any(shown.deleted_at for shown in after.telegram.chats.note(GROUP).messages.values())
    assert len(first.versions) > 2


async def test_in_a_tool_what_was_finished_before_it_is_not_done_again(after: World) -> None:
    assert two_answers(after.telegram.texts(READER), "Done: the book is read")
    assert after.runs("stamp") == 1
    assert after.runs("hang_reading") == 2
    assert len(after.asked("please read")) == 3


async def test_in_a_tool_that_may_run_once_it_is_not_run_again_and_the_person_is_told(
    after: World,
) -> None:
    first, second = after.telegram.texts(PAYER)
    assert "hang_paying" in first
    assert "unknown" in first
    assert "still there?" in second
    assert after.runs("hang_paying") == 1
    assert len(after.asked("please pay")) == 2


async def test_in_a_send_that_was_not_shown_one_answer_is_and_says_that_it_is_a_repeat(
    after: World,
) -> None:
    first, second = after.telegram.texts(UNHEARD)
    assert first.startswith("(sent again) ")
    assert "hello from Una" in first
    assert "still there?" in second


async def test_after_a_send_that_was_shown_it_is_repeated_once_marked_and_counted(
    after: World,
) -> None:
    first, again, second = after.telegram.texts(DOUBLE)
    assert "hello from Dan" in first
    assert again == f"(sent again) {first}"
    assert "still there?" in second
    assert await after.repeated() == 2


async def test_nobody_was_asked_about_twice(after: World) -> None:
    assert {words: len(after.asked(words)) for words in ("please think", "hello from")} == {
        "please think": 2,
        "hello from": 2,
    }


# ---- one point each, where the store itself stands still -------------------------------------


@pytest_asyncio.fixture(loop_scope="module", params=KINDS)
async def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[str, None]:
    """An empty database for one point."""
    async with database(request, tmp_path) as found:
        yield found


@asynccontextmanager
async def killed_at(folder: Path, url: str, point: str, text: str) -> AsyncGenerator[World, None]:
    """A message, the kill at this point of it, another start, another message and its answer."""
    async with world(folder, url, echo()) as found:
        telegram, program = found.telegram, found.program
        await program.start(fault=point)
        telegram.push(telegram.updates.text(text, THINKER))
        await program.at_fault()
        await program.kill()
        await program.start()
        # Two messages that wait together would become one turn.
        await telegram.wait_for(lambda: telegram.texts(THINKER), PATIENCE)
        telegram.push(telegram.updates.text("still there?", THINKER))
        await telegram.wait_for(
            lambda: any("still there?" in text for text in telegram.texts(THINKER)), PATIENCE
        )
        yield found


async def test_after_accept_it_is_answered_and_the_repeat_of_it_is_not(
    tmp_path: Path, fresh: str
) -> None:
    async with killed_at(tmp_path, fresh, "store.accept:after", "do not lose me") as found:
        # The platform was never told that we had it, so it brings it until it is.
        log = found.telegram.log
        first = log.of("delivery")[0].fields["update_id"]
        await found.telegram.wait_for(
            lambda: any(first in entry.fields["update_ids"] for entry in log.of("acknowledged")),
            PATIENCE,
        )
        assert two_answers(found.telegram.texts(THINKER), "You said: do not lose me [answer-1]")
        assert len(found.model.asked) == 2


async def test_before_the_send_it_is_sent_and_says_that_it_may_be_a_repeat(
    tmp_path: Path, fresh: str
) -> None:
    async with killed_at(tmp_path, fresh, "store.finish:after", "send it once") as found:
        first, second = found.telegram.texts(THINKER)
        assert first == "(sent again) You said: send it once [answer-1]"
        assert "still there?" in second
        assert await found.repeated() == 1


async def test_before_it_is_marked_as_sending_the_pieces_leave_once_and_in_order(
    tmp_path: Path, fresh: str
) -> None:
    long = " ".join(f"word{n:04}" for n in range(700))
    async with killed_at(tmp_path, fresh, "store.take:before", long) as found:
        texts = found.telegram.texts(THINKER)
        assert " ".join(texts[:-1]) == f"You said: {long} [answer-1]"
        assert not any("sent again" in text for text in texts)


async def test_after_the_send_and_before_its_record_it_is_repeated_once_marked_and_counted(
    tmp_path: Path, fresh: str
) -> None:
    async with killed_at(tmp_path, fresh, "store.sent:before", "say it twice") as found:
        first, again, second = found.telegram.texts(THINKER)
        assert first == "You said: say it twice [answer-1]"
        assert again == f"(sent again) {first}"
        assert "still there?" in second
        assert await found.repeated() == 1
