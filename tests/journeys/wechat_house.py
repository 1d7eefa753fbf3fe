"""A WeChat account whose time runs faster, a model, and real programs between them."""

import asyncio
import re
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tests.journeys.program import Program, a_moment, program_config
from tests.peers.log import Log
from tests.peers.model import ModelPeer
from tests.peers.model_answers import Script
from tests.peers.wechat import AES_KEY, ANN, APP_ID, SECRET, TOKEN, WeChatPeer

SPEED = 2.0
"""The platform's five seconds are two and a half: what a busy machine still keeps."""
REPLY_WITHIN = 3500
"""Of its milliseconds: an acknowledgement has the rest of them to arrive."""
PATIENCE = 30.0
"""Seconds; an idle machine needs a tenth of it."""
DAY = 86_400.0


class PlatformTime:
    """The time of the platform. Its windows and tokens can be made to age; nobody's clock jumps."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._began = time.monotonic()
        self._epoch = time.time()
        self._aged = 0.0

    def passes(self, seconds: float) -> None:
        """Everything that was granted is so much older."""
        self._aged += seconds

    def micros(self) -> int:
        """What windows and tokens are measured by."""
        return int((self._elapsed() + self._aged) * 1_000_000)

    def epoch(self) -> int:
        """What stands in callbacks: close enough to our own time to be fresh."""
        return int(self._epoch + self._elapsed())

    def _elapsed(self) -> float:
        return (time.monotonic() - self._began) * self._speed


@dataclass
class House:
    """The peers, and the programs between them; the first one is where the platform calls."""

    folder: Path
    peer: WeChatPeer
    model: ModelPeer
    time: PlatformTime
    programs: list[Program]

    @property
    def program(self) -> Program:
        """The first one."""
        return self.programs[0]

    def aim(self, *programs: Program) -> None:
        """Deliver to these, one try after the other."""
        self.peer.aim(*(f"http://127.0.0.1:{port_of(one)}/in/wechat" for one in programs))

    @property
    def refusals(self) -> list[int]:
        """Every errcode of the platform, but for those about who shows when that they type."""
        typing = (45080, 45081)
        return [code for code in self.peer.refusals() if code not in typing]

    async def sees(self, *texts: str, who: str = ANN) -> None:
        """Wait until the account has said this to the person, and nothing else."""
        await self.peer.wait_for(lambda: len(self.peer.texts(who)) >= len(texts), PATIENCE)
        assert self.peer.texts(who) == list(texts)

    async def counted(self, name: str, **labels: str) -> float:
        """What the first program's `/metrics` says."""
        url = f"{self.program.url}/metrics"
        async with aiohttp.ClientSession() as http, http.get(url) as response:
            return _sum_of(await response.text(), f"parley_{name}", labels)

    async def has_counted(self, wanted: float, name: str, **labels: str) -> None:
        """Wait until `/metrics` says so."""
        async with asyncio.timeout(PATIENCE):
            while await self.counted(name, **labels) < wanted:
                await a_moment()

    def asked(self, words: str) -> int:
        """How often the model was asked about this."""
        return sum(words in asked.last_user for asked in self.model.asked)


def _sum_of(text: str, name: str, labels: Mapping[str, str]) -> float:
    wanted = [f'{label}="{value}"' for label, value in labels.items()]
    lines = (line for line in text.splitlines() if re.match(rf"{name}[ {{]", line))
    return sum(float(line.split()[-1]) for line in lines if all(label in line for label in wanted))


def port_of(program: Program) -> int:
    """Where it listens, also while it does not run."""
    port: int = program.config["server"]["port"]
    return port


def wechat_adapter(peer: WeChatPeer, *, speed: float, **changes: Any) -> dict[str, Any]:
    """One official account, whose platform's time passes so much faster."""
    return {
        "use": "adapters.wechat",
        "app_id": APP_ID,
        "app_secret": SECRET,
        "token": TOKEN,
        "aes_key": AES_KEY,
        "language": "en",
        "reply_within": f"{REPLY_WITHIN / speed:.0f}ms",
        "base_url": peer.url,
    } | changes


def wechat_config(
    peer: WeChatPeer, model: ModelPeer, *, database: str, speed: float, **changes: Any
) -> dict[str, Any]:
    """One official account, one model, no tools."""
    adapter = wechat_adapter(peer, speed=speed, **changes.pop("account", {}))
    made = program_config(model, {"wechat": adapter}, database=database, plugins=[])
    return made | changes | {"server": made["server"] | changes.get("server", {})}


@asynccontextmanager
async def house(
    folder: Path,
    script: Script,
    *,
    database: str | None = None,
    may_send: bool = True,
    nodes: int = 1,
    speed: float = SPEED,
    started: bool = True,
    **changes: Any,
) -> AsyncGenerator[House, None]:
    """So many programs on one database; they are gone when the block ends."""
    clock = PlatformTime(speed)
    peer = WeChatPeer(
        patience=5.0 / speed, may_send=may_send, epoch=clock.epoch, log=Log(now=clock.micros)
    )
    async with peer, ModelPeer(script) as model, AsyncExitStack() as stack:
        programs: list[Program] = []
        for number in range(nodes):
            home = folder / f"node{number}"
            home.mkdir()
            url = database or f"sqlite:///{folder}/parley.db"
            config = wechat_config(peer, model, database=url, speed=speed, **changes)
            program = Program(home, config)
            programs.append(program)
            stack.push_async_callback(program.kill)
            if started:
                await program.start()
        found = House(folder, peer, model, clock, programs)
        found.aim(programs[0])
        yield found
