"""What the kills have in common, whatever the platform: people, script, plugin, and the program.

A platform joins by a `World` of its own in `tests/journeys/<platform>_kills.py` and a place in
`test_kill.py`'s lists.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar, Self

import aiohttp

from tests.journeys.program import Program, a_moment, program_config
from tests.peers.model import ModelPeer
from tests.peers.model_answers import Answer, Asked, Call, Script, by_words, echo, in_turn
from tests.peers.server import Peer

Json = dict[str, Any]
PATIENCE = 30.0
"""Seconds; an idle machine needs a hundredth of it."""

THINKER = "Thea"  # the model holds back its answer
WATCHER = "Wim"  # an answer grows in a private chat
MEMBER = "Mia"  # an answer grows in a group
READER = "Ria"  # a tool without effect runs, after one that is finished
PAYER = "Pia"  # a tool that may run once runs
UNHEARD = "Una"  # the send is on the wire and not on the screen
DOUBLE = "Dan"  # the send is on the screen and not recorded

OPENINGS: Mapping[str, str] = {
    THINKER: "please think",
    WATCHER: "please stream",
    MEMBER: "please group",
    READER: "please read",
    PAYER: "please pay",
    UNHEARD: "hello from Una",
    DOUBLE: "hello from Dan",
}
"""What everybody says first."""

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


class World(ABC):
    """One platform, the model, and the program between them, killed and started again."""

    name: ClassVar[str]
    """The adapter's name, as `/metrics` tells it."""
    people: ClassVar[tuple[str, ...]] = tuple(OPENINGS)
    """Who is there: a platform where nothing grows has no WATCHER, one without groups no MEMBER."""
    reads_back: ClassVar[bool] = False
    """Whether the program can find out if a send that was cut off was shown."""
    long: ClassVar[int] = 1500
    """Words that are more than one message and no more than the platform takes."""

    peer: Peer

    def __init__(self, folder: Path, url: str, script: Script) -> None:
        self.folder = folder
        self.model = ModelPeer(script)
        self._url = url
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.peer)
            await stack.enter_async_context(self.model)
            plugin = self.folder / "counted.py"
            plugin.write_text(PLUGIN, encoding="utf-8")
            config = program_config(
                self.model,
                {self.name: self.adapter()},
                database=self._url,
                plugins=[{"use": str(plugin)}],
            )
            self.aim(f"{config['server']['public_url']}/in/{self.name}")
            self.program = Program(self.folder, config)
            stack.push_async_callback(self.program.kill)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    # -- what each platform says -------------------------------------------------------------

    @abstractmethod
    def adapter(self) -> Json:
        """Its block of the configuration."""

    def aim(self, url: str) -> None:
        """Where the platform delivers, for one that is not told by the program itself."""
        del url

    @abstractmethod
    def say(self, who: str, text: str) -> None:
        """Somebody writes; MEMBER does it in a group and names the bot."""

    @abstractmethod
    def texts(self, who: str) -> list[str]:
        """What stands on their screen now, of what the bot has said."""

    @abstractmethod
    def lose_the_answer(self, who: str, *, shown: bool) -> None:
        """The next send to them is never answered, whether it is shown or not."""

    @property
    @abstractmethod
    def lost(self) -> bool:
        """Whether every send that was to be lost has been."""

    def is_growing(self, who: str, text: str) -> bool:
        """Whether this much of an answer has been seen while it grew."""
        return any(text in shown for shown in self.texts(who))

    def loose_ends(self, who: str) -> int:
        """Half messages that are left on the screen, or had to be taken off it."""
        del who
        return 0

    @abstractmethod
    def came_again(self) -> bool:
        """Whether the first message was delivered again, and taken."""

    # -- what all of them know ---------------------------------------------------------------

    def runs(self, tool: str) -> int:
        """How often a tool of the plugin ran, over all lives of the program."""
        file = self.folder / tool
        return len(file.read_text().splitlines()) if file.exists() else 0

    def asked(self, words: str) -> list[Asked]:
        """What the model was asked about this, oldest first."""
        return [asked for asked in self.model.asked if words in asked.last_user]

    async def repeated(self) -> float:
        """How many sends `/metrics` counts as made again."""
        return await self._counted("sends_total", outcome="repeated")

    async def ambiguous(self) -> float:
        """How many sends `/metrics` counts of which nobody knows whether they arrived."""
        return await self._counted("ambiguous_sends_total")

    async def _counted(self, metric: str, **labels: str) -> float:
        """What `/metrics` tells of this adapter."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.program.url}/metrics") as response,
        ):
            text = await response.text()
        labelled = {"adapter": self.name, **labels}.items()
        told = ",".join(f'{label}="{value}"' for label, value in labelled)
        name = f"parley_{metric}{{{told}}}"
        return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))

    async def wait_for(self, condition: Any) -> None:
        """Wait for something on the screens."""
        await self.peer.wait_for(condition, PATIENCE)


def two_answers(texts: list[str], first: str) -> bool:
    """The first answer once, the second once, nothing else, in order."""
    return len(texts) == 2 and texts[0] == first and "still there?" in texts[1]


@asynccontextmanager
async def killed_once(found: World) -> AsyncGenerator[World, None]:
    """Every conversation at another point when the one kill comes; then all go on."""
    async with found:
        await found.program.start()
        for who in found.people:
            if who in (UNHEARD, DOUBLE):
                found.lose_the_answer(who, shown=who == DOUBLE)
            found.say(who, OPENINGS[who])
        await everything_stands(found)
        await found.program.kill()
        await found.program.start()
        for who in found.people:
            found.say(who, "still there?")
        await found.wait_for(lambda: all(has_two(found, who) for who in found.people))
        yield found


async def everything_stands(found: World) -> None:
    """Wait until each conversation is at its point."""
    async with asyncio.timeout(PATIENCE):
        # Another process writes the files.
        while not (found.runs("hang_reading") and found.runs("hang_paying")):
            await a_moment()
    await found.model.wait_for(lambda: found.asked("think"), PATIENCE)
    growing = {WATCHER: "one two", MEMBER: "seven"}
    await found.wait_for(
        lambda: (
            found.lost
            and all(
                found.is_growing(who, text) for who, text in growing.items() if who in found.people
            )
        )
    )


def has_two(found: World, who: str) -> bool:
    """Whether the second message of theirs is answered."""
    return any("still there?" in text for text in found.texts(who))


@asynccontextmanager
async def killed_at(found: World, point: str, text: str) -> AsyncGenerator[World, None]:
    """A message, the kill at this point of it, another start, another message and its answer."""
    async with found:
        await found.program.start(fault=point)
        found.say(THINKER, text)
        await found.program.at_fault()
        await found.program.kill()
        await found.program.start()
        # Two messages that wait together would become one turn.
        await found.wait_for(lambda: found.texts(THINKER))
        found.say(THINKER, "still there?")
        await found.wait_for(lambda: has_two(found, THINKER))
        yield found
