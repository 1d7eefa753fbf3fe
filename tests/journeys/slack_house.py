"""A Slack workspace, a model, and one program or several between them."""

import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tests.journeys.program import Program, program_config
from tests.peers.log import Json
from tests.peers.model import ModelPeer
from tests.peers.model_answers import Script, echo
from tests.peers.slack import APP_TOKEN, BOT_TOKEN, SIGNING_SECRET, SlackPeer
from tests.peers.slack_delivery import Courier, Redelivery
from tests.peers.slack_events import DIRECT, GENERAL
from tests.peers.slack_rules import Tiers

PATIENCE = 30.0
"""Seconds; an idle machine needs a hundredth of it."""


def slack_adapter(slack: SlackPeer, **changes: Any) -> Json:
    """The block of the configuration for this workspace."""
    return {
        "use": "adapters.slack",
        "mode": "http",
        "bot_token": BOT_TOKEN,
        "app_token": APP_TOKEN,
        "signing_secret": SIGNING_SECRET,
        "base_url": slack.api_url,
    } | changes


@dataclass
class House:
    """The peers, and the programs between them."""

    slack: SlackPeer
    model: ModelPeer
    programs: list[Program]

    couriers: list[Courier]
    """For each program one that calls it; Slack itself calls the first."""

    @property
    def program(self) -> Program:
        """The first one."""
        return self.programs[0]

    async def reads(self, *texts: str, channel: str = DIRECT, thread: str | None = None) -> None:
        """Wait for so many messages of ours, whole; each holds the words, and there are no more."""
        await self.slack.wait_for(lambda: self._stand(texts, channel, thread), PATIENCE)
        assert len(self.slack.texts(channel, thread)) == len(texts)

    def _stand(self, texts: tuple[str, ...], channel: str, thread: str | None) -> bool:
        shown = self.slack.texts(channel, thread)
        return len(shown) >= len(texts) and all(
            words in text for words, text in zip(texts, shown, strict=False)
        )

    async def ask(self, text: str) -> str:
        """Name the bot in the channel; the thread in which the answer belongs."""
        said = self.slack.ask(text)
        thread: str = said["event"]["ts"]
        return thread

    async def metric(self, name: str, **labels: str) -> float:
        """The sum of what a program counts under a name, with these labels."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.program.url}/metrics") as response,
        ):
            return summed(await response.text(), f"parley_{name}", labels)


def summed(text: str, name: str, labels: Mapping[str, str]) -> float:
    """The lines of a page of metrics that have this name and these labels, added up."""
    wanted = [f'{label}="{value}"' for label, value in labels.items()]
    return sum(
        float(line.split()[-1])
        for line in text.splitlines()
        if line.partition("{")[0].partition(" ")[0] == name and all(w in line for w in wanted)
    )


@asynccontextmanager
async def house(
    folder: Path,
    database: str,
    script: Script | None = None,
    *,
    nodes: int = 1,
    tiers: Tiers | None = None,
    redelivery: Redelivery | None = None,
    adapter: Mapping[str, Any] | None = None,
    grace: str = "25s",
    **changes: Any,
) -> AsyncGenerator[House, None]:
    """Started, and gone when the block ends."""
    block = dict(adapter or {})
    slack = SlackPeer(tiers=tiers, redelivery=redelivery)
    async with slack, ModelPeer(script or echo()) as model, AsyncExitStack() as stack:
        programs: list[Program] = []
        for number in range(nodes):
            home = folder / f"node{number}"
            home.mkdir()
            adapters = {"slack": slack_adapter(slack, **block)}
            config = program_config(model, adapters, database=database, **changes)
            config["server"]["grace"] = grace
            program = Program(home, config)
            stack.push_async_callback(program.kill)
            await program.start()
            programs.append(program)
        couriers = [calling(slack, program) for program in programs]
        for courier in couriers:
            stack.push_async_callback(courier.close)
        if block.get("mode", "http") == "http":
            slack.courier.url = couriers[0].url
        else:
            await slack.wait_for(lambda: len(slack.sockets.open) == nodes, PATIENCE)
        yield House(slack, model, programs, couriers)


def calling(slack: SlackPeer, program: Program) -> Courier:
    """Another line of Slack's, to this program."""
    courier = Courier(slack.log, SIGNING_SECRET, time.time, Redelivery())
    courier.url = f"{program.url}/in/slack"
    return courier


def named(slack: SlackPeer, text: str, *, thread: str | None = None) -> tuple[Json, Json]:
    """The two events that tell of one mention; the person has written it."""
    said, twin = slack.events.mention(text, channel=GENERAL, thread=thread)
    slack.note(said)
    return said, twin
