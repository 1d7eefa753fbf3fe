"""The model of fault runs, a process of its own: `python -m tests.faults.model --log FILE`.

Its log says of each request whose it was and what it held, by marks; the words themselves would
make the log of a long run as large as a disk.
"""

import argparse
import asyncio
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from tests.faults.marks import Mark, marks_in, read_mark
from tests.faults.script import Hold, Speaker, block_of
from tests.faults.serving import serve
from tests.peers.log import Json, Log
from tests.peers.model import ModelPeer
from tests.peers.model_answers import text_of
from tests.peers.server import Exchange

KEEP = 500


class FaultsModel(ModelPeer):
    """A model whose script, pace and faults a driver changes while it runs."""

    def __init__(self, speaker: Speaker, log: Log) -> None:
        super().__init__(speaker, log=log, keep=KEEP)
        self._speaker = speaker
        self._holding: list[Hold] = []

    def begin(self, method: str, body: Mapping[str, Any], **facts: Any) -> Exchange:
        """Log what a checker needs of a request, instead of all that it holds."""
        if method != "chat" or not body.get("messages"):
            return super().begin(method, body, **facts)
        self._count += 1
        compact = summary(body)
        entry = self.log.write("request", call=self._count, method=method, **facts, **compact)
        exchange = Exchange(self._count, method, body, entry.mono, facts=facts)
        self.keep(self.exchanges, exchange)
        return exchange

    async def control(self, path: str, body: Json) -> object:
        """Beside the model's own: `pace`, `hold`, `release`, `held`, `clear`."""
        match path:
            case "pace":
                for name, value in body.items():
                    setattr(self._speaker, name, value)
            case "hold":
                hold = Hold(read_mark(body["mark"]), int(body["at"]), int(body.get("round", 0)))
                self._speaker.holds.append(hold)
                self._holding.append(hold)
            case "release":
                for hold in self._holding:
                    hold.released.set()
                self._holding.clear()
                self._speaker.holds.clear()
            case "held":
                return [str(hold.mark) for hold in self._holding if hold.reached]
            case "count":
                return self._count
            case "waiting":
                return self.faults.waiting
            case "clear":
                self.faults.clear()
            case _:
                return await super().control(path, body)
        return True


def summary(body: Mapping[str, Any]) -> Json:
    """A request as its log line shows it: who asked, about what, after what."""
    messages = body["messages"]
    block = block_of(messages)
    shown = [_line(message) for message in messages if message["role"] != "system"]
    digest = hashlib.blake2b(msgspec.json.encode(messages), digest_size=12).hexdigest()
    said = {mark for message in messages for mark in _heard(message)}
    everywhere = marks_in(json.dumps(body, ensure_ascii=False))
    return {
        "model": body.get("model"),
        "block": [str(mark) for mark in block.marks],
        "round": block.rounds,
        "messages": shown,
        "digest": digest,
        "beside": [str(mark) for mark in everywhere if mark not in said],
        "called": block.called,
    }


def _heard(message: Json) -> tuple[Mark, ...]:
    """What its line shows: not the instructions, and no arguments."""
    return () if message["role"] == "system" else marks_in(text_of(message))


def _line(message: Json) -> list[object]:
    marks = [str(mark) for mark in marks_in(text_of(message))]
    calls = [call["function"]["name"] for call in message.get("tool_calls") or ()]
    return [message["role"], marks, *([calls] if calls else [])]


def main() -> None:
    """Serve until standard input ends or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.model", description=__doc__)
    parser.add_argument("--log", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pause", type=float, default=0.05)
    asyncio.run(_serve(parser.parse_args()))


async def _serve(arguments: argparse.Namespace) -> None:
    speaker = Speaker(seed=arguments.seed, pause=arguments.pause)
    await serve(FaultsModel(speaker, Log(arguments.log, keep=KEEP)))


if __name__ == "__main__":
    main()
