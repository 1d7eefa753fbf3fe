"""An app is deleted, a token revoked, a bot removed, all in mid-run: said, bounded, and mended."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.checking import Checked, check, metric, shown, slack_config
from tests.journeys.program import Program, program_config, running
from tests.peers.model import ModelPeer
from tests.peers.model_answers import echo
from tests.peers.slack import SlackPeer
from tests.peers.slack_events import DIRECT, GENERAL
from tests.peers.telegram import TelegramPeer
from tests.peers.telegram_updates import ANN

pytestmark = pytest.mark.slow

Json = dict[str, Any]
PATIENCE = 30.0


@dataclass(frozen=True)
class World:
    """Slack in trouble, Telegram without, and one program for both."""

    slack: SlackPeer
    telegram: TelegramPeer
    program: Program

    async def check(self) -> Checked:
        """What an operator is told; the server has looked again after it."""
        return await check(self.program.folder, self.program.config)

    async def answers(self, text: str, channel: str) -> None:
        """Return once Slack shows the answer to this."""
        await self.slack.wait_for(
            lambda: any(text in answer for answer in self.slack.texts(channel)), PATIENCE
        )

    async def goes_on(self, text: str) -> None:
        """Somebody else is answered somewhere else."""
        self.telegram.push(self.telegram.updates.text(text))
        await self.telegram.wait_for(
            lambda: any(text in answer for answer in self.telegram.texts(ANN)), PATIENCE
        )


@asynccontextmanager
async def world(folder: Path) -> AsyncGenerator[World, None]:
    """Everything works, and somebody in Slack has been answered."""
    async with SlackPeer() as slack, TelegramPeer() as telegram, ModelPeer(echo()) as model:
        adapters = slack_config(folder, slack)["adapters"]
        adapters["telegram"] = {
            "use": "adapters.telegram",
            "token": telegram.token,
            "base_url": telegram.url,
            "stream": "off",
        }
        config = program_config(model, adapters, database=f"sqlite:///{folder}/parley.db")
        async with running(folder, config) as program:
            found = World(slack, telegram, program)
            await slack.wait_for(lambda: slack.sockets.open, PATIENCE)
            slack.say("are you there?")
            await found.answers("are you there?", DIRECT)
            yield found


@pytest.mark.parametrize(
    ("code", "told"), [("token_revoked", False), ("account_inactive", True)], ids=["token", "app"]
)
async def test_a_token_that_opens_nothing_any_more(code: str, told: bool, tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        slack = made.slack
        if told:
            slack.push(slack.events.uninstalled())
        slack.revoked = code
        posted = len(slack.calls("chat.postMessage"))
        slack.say("and now?")
        await slack.wait_for(lambda: len(slack.calls("chat.postMessage")) > posted, PATIENCE)
        found = await made.check()
        assert found.code == 1
        assert code in found.output
        ok, detail = await shown(made.program, "slack")
        assert not ok
        assert "Install App" in detail
        assert await metric(made.program, 'parley_probe_ok{probe="slack"}') == 0
        # nobody tries again and again, and nobody else notices
        await made.goes_on("one")
        await made.goes_on("two")
        assert len(slack.calls("chat.postMessage")) == posted + 1
        assert await metric(made.program, 'parley_probe_ok{probe="telegram"}') == 1

        slack.revoked = ""
        slack.say("once more?")
        await made.answers("once more?", DIRECT)
        assert (await made.check()).code == 0
        assert (await shown(made.program, "slack"))[0]
        assert "Traceback" not in made.program.output


def switched_off(slack: SlackPeer) -> str:
    slack.socket_mode = False
    return "link_disabled"


def app_token_revoked(slack: SlackPeer) -> str:
    slack.app_token = "xapp-a-new-one"
    return "refresh_requested"


@pytest.mark.parametrize("spoil", [switched_off, app_token_revoked])
async def test_a_socket_that_is_refused_when_it_is_opened_again(spoil: Any, tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        slack = made.slack
        right = slack.app_token
        opened = len(slack.calls("apps.connections.open"))
        await slack.sockets.disconnect(spoil(slack))
        await slack.wait_for(lambda: not slack.sockets.open, PATIENCE)
        await made.goes_on("one")
        found = await made.check()
        assert found.code == 1
        ok, detail = await shown(made.program, "slack")
        assert not ok
        wanted = "Socket Mode was switched off" if slack.app_token == right else "app_token"
        assert wanted in detail
        assert await metric(made.program, 'parley_listening{adapter="slack"}') == 0
        await made.goes_on("two")
        # the first attempt and the check's own; the next comes in a minute
        assert len(slack.calls("apps.connections.open")) <= opened + 2
        assert "Traceback" not in made.program.output


async def test_a_bot_that_is_removed_from_a_channel(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        slack = made.slack
        channel = slack.channels.get(GENERAL)
        assert channel is not None
        channel.joined = False
        slack.push(slack.events.left(GENERAL))
        posted = len(slack.calls("chat.postMessage"))
        slack.ask("can you hear me?")
        await slack.wait_for(lambda: len(slack.calls("chat.postMessage")) > posted, PATIENCE)
        found = await made.check()
        assert found.code == 1
        assert f"{GENERAL}: the bot is not in it" in found.wrong("slack (server)")
        ok, detail = await shown(made.program, "slack")
        assert not ok
        assert "/invite" in detail
        # other rooms are answered, and this one when it is open again
        slack.say("and here?")
        await made.answers("and here?", DIRECT)
        await made.goes_on("one")
        assert len(slack.calls("chat.postMessage")) == posted + 2
        channel.joined = True
        slack.ask("back again?")
        await made.answers("back again?", GENERAL)
        assert (await made.check()).code == 0
