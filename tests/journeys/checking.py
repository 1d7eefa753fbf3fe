"""`parley check` as an operator runs it, and the pages of a server that show the same."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tests.journeys.program import Program
from tests.peers.slack import APP_TOKEN, BOT_TOKEN, SIGNING_SECRET, SlackPeer
from tests.peers.wechat import AES_KEY, APP_ID, SECRET, TOKEN, WeChatPeer
from tests.ports import free_port

Json = dict[str, Any]
SECRETS = (BOT_TOKEN, APP_TOKEN, SIGNING_SECRET, SECRET, AES_KEY)
CHINESE = re.compile(r"[\u4e00-\u9fff]")


@dataclass(frozen=True, slots=True)
class Checked:
    """What the command said; no secret is in it."""

    code: int
    output: str

    def wrong(self, name: str) -> str:
        """What it says is wrong there: one line."""
        return self._line("wrong|异常", name)

    def well(self, name: str) -> str:
        """What it says of something that is well."""
        return self._line("ok|正常", name)

    def _line(self, verdict: str, name: str) -> str:
        form = rf"^(?:{verdict}) +{re.escape(name)}  +(\S.*)$"
        (found,) = re.findall(form, self.output, re.MULTILINE)
        return str(found)


async def check(folder: Path, config: Mapping[str, Any]) -> Checked:
    """Run the command beside whatever runs."""
    code, output = await Program(folder, config).command("check")
    assert "Traceback" not in output
    for secret in SECRETS:
        assert secret not in output
    return Checked(code, output)


def slack_config(folder: Path, peer: SlackPeer, **adapter: Any) -> Json:
    """One Slack app that is right, and what a test changes in it."""
    entry = {
        "use": "adapters.slack",
        "bot_token": BOT_TOKEN,
        "app_token": APP_TOKEN,
        "signing_secret": SIGNING_SECRET,
        "base_url": peer.api_url,
        "stream": "off",
    }
    return _config(folder, {"slack": {**entry, **adapter}})


def wechat_config(folder: Path, peer: WeChatPeer, **adapter: Any) -> Json:
    """One official account that is right, and what a test changes in it."""
    entry = {
        "use": "adapters.wechat",
        "app_id": APP_ID,
        "app_secret": SECRET,
        "token": TOKEN,
        "aes_key": AES_KEY,
        "language": "en",
        "base_url": peer.url,
    }
    return _config(folder, {"wechat": {**entry, **adapter}})


def _config(folder: Path, adapters: Json) -> Json:
    port = free_port()
    return {
        "locale": "en",
        "server": {"port": port, "public_url": f"http://127.0.0.1:{port}"},
        "database": {"url": f"sqlite:///{folder}/parley.db"},
        "models": {"main": {"use": "offline"}},
        "adapters": adapters,
    }


async def page(program: Program, path: str) -> Any:
    """One of the server's own pages."""
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{program.url}{path}") as answer,
    ):
        assert answer.status == 200
        is_json = answer.content_type == "application/json"
        return await answer.json() if is_json else await answer.text()


async def shown(program: Program, name: str) -> tuple[bool, str]:
    """What `/status` says of one thing."""
    status = await page(program, "/status")
    (found,) = [probe for probe in status["probes"] if probe["name"] == name]
    return found["ok"], found["detail"]


async def metric(program: Program, line: str) -> float:
    """The value behind a name and its labels; 0 where it was never counted."""
    text = await page(program, "/metrics")
    found = [row for row in text.splitlines() if row.startswith(f"{line} ")]
    return float(found[0].split()[-1]) if found else 0.0
