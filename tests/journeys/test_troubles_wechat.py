"""A secret is reset or a permission withdrawn in mid-run: said, bounded, and people go on."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.checking import check, metric, shown, wechat_config
from tests.journeys.program import Program, program_config, running
from tests.peers.model import ModelPeer
from tests.peers.model_answers import echo
from tests.peers.telegram import TelegramPeer
from tests.peers.telegram_updates import ANN as TELEGRAMS_ANN
from tests.peers.wechat import ANN, WeChatPeer
from tests.peers.wechat_rules import errcode

pytestmark = pytest.mark.slow

Json = dict[str, Any]
PATIENCE = 30.0
ASKED = ("customservice/getkflist", "message/custom/send", "message/custom/typing")


@dataclass(frozen=True)
class World:
    """WeChat in trouble, Telegram without, and one program for both."""

    wechat: WeChatPeer
    telegram: TelegramPeer
    program: Program

    async def goes_on(self, text: str) -> None:
        """Somebody else is answered somewhere else."""
        self.telegram.push(self.telegram.updates.text(text))
        await self.telegram.wait_for(
            lambda: any(text in answer for answer in self.telegram.texts(TELEGRAMS_ANN)), PATIENCE
        )


@asynccontextmanager
async def world(folder: Path, **adapter: Any) -> AsyncGenerator[World, None]:
    """Everything works, and somebody in WeChat has been answered."""
    async with WeChatPeer() as wechat, TelegramPeer() as telegram, ModelPeer(echo()) as model:
        adapters = wechat_config(folder, wechat, **adapter)["adapters"]
        adapters["telegram"] = {
            "use": "adapters.telegram",
            "token": telegram.token,
            "base_url": telegram.url,
            "stream": "off",
        }
        config = program_config(model, adapters, database=f"sqlite:///{folder}/parley.db")
        async with running(folder, config) as program:
            wechat.aim(f"{program.url}/in/wechat")
            assert "are you there?" in str((await wechat.say(ANN, "are you there?")).said)
            yield World(wechat, telegram, program)


async def test_a_token_that_stays_refused_after_a_refresh(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        wechat = made.wechat
        for method in ASKED:
            wechat.faults.plan(errcode(40001), method=method, times=1000)
        fetched = len(wechat.calls("stable_token"))
        found = await check(tmp_path, made.program.config)
        assert found.code == 1
        # One of both is told to wait with another forced token (45011): the server or the check.
        assert "refuses every access token (40001)" in found.output
        ok, detail = await shown(made.program, "wechat")
        assert not ok
        assert "app_secret was probably reset" in found.output + detail
        assert await metric(made.program, 'parley_probe_ok{probe="wechat"}') == 0
        # a reply in the platform's own call needs no token: people are answered all the same
        for text in ("still here?", "and still?", "and yet again?"):
            assert text in str((await wechat.say(ANN, text)).said)
        await made.goes_on("one")
        # the server's look and the check's: each fetched anew once and insisted once
        assert len(wechat.calls("stable_token")) - fetched <= 10
        wechat.faults.clear()
        assert (await check(tmp_path, made.program.config)).code == 0
        assert (await shown(made.program, "wechat"))[0]
        assert "Traceback" not in made.program.output


@pytest.mark.parametrize("configured", ["auto", True])
async def test_a_permission_that_is_withdrawn(configured: Any, tmp_path: Path) -> None:
    async with world(tmp_path, customer_service=configured) as made:
        made.wechat.people.may_send = False
        found = await check(tmp_path, made.program.config)
        assert found.code == int(configured is True)
        ok, detail = await shown(made.program, "wechat")
        assert ok is (configured == "auto")
        assert "48001" in detail
        assert "still here?" in str((await made.wechat.say(ANN, "still here?")).said)
        await made.goes_on("one")
        made.wechat.people.may_send = True
        assert (await check(tmp_path, made.program.config)).code == 0
