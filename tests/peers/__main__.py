"""Run one peer as a process of its own: `python -m tests.peers NAME --log FILE`.

NAME is telegram, slack, wechat or model. The first line on standard output is
`{"port": …, "url": …}`. It stops on SIGTERM, when standard input is a pipe that closes, or after
`--seconds`.
"""

import argparse
import asyncio
import json
import os
import signal
import stat
import sys
from pathlib import Path

from tests.peers.log import Log
from tests.peers.model import ModelPeer
from tests.peers.model_answers import Answer, Script, always, echo, words
from tests.peers.server import Peer
from tests.peers.slack import APP_TOKEN, BOT_TOKEN, SIGNING_SECRET, SlackPeer
from tests.peers.slack_rules import Tiers
from tests.peers.telegram import TOKEN, TelegramPeer
from tests.peers.telegram_rules import Flood
from tests.peers.wechat import AES_KEY, APP_ID, SECRET, WeChatPeer
from tests.peers.wechat import TOKEN as CALLBACK_TOKEN

# A process that runs for hours keeps its log in the file, not in memory.
KEEP = 2000


def main() -> None:
    """Read the command line and serve."""
    arguments = _parser().parse_args()
    # Not on Windows, where the ordinary loop does.
    try:
        import uvloop  # noqa: PLC0415  # absent on Windows
    except ImportError:
        asyncio.run(_serve(arguments))
    else:
        uvloop.run(_serve(arguments))


async def _serve(arguments: argparse.Namespace) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    if _is_pipe(sys.stdin.fileno()):
        loop.add_reader(sys.stdin.fileno(), _read_stdin, stopped)
    async with _peer(arguments) as peer:
        sys.stdout.write(json.dumps({"port": peer.port, "url": peer.url}) + "\n")
        sys.stdout.flush()
        try:
            async with asyncio.timeout(arguments.seconds):
                await stopped.wait()
        except TimeoutError:
            return


def _peer(arguments: argparse.Namespace) -> Peer:
    log = Log(arguments.log, keep=KEEP)
    match arguments.peer:
        case "telegram":
            return _telegram(arguments, log)
        case "slack":
            return _slack(arguments, log)
        case "wechat":
            return _wechat(arguments, log)
        case _:
            script = _script(arguments)
            return ModelPeer(script, key=arguments.key, log=log, port=arguments.port, keep=KEEP)


def _telegram(arguments: argparse.Namespace, log: Log) -> Peer:
    return TelegramPeer(
        token=arguments.token,
        strict=arguments.strict,
        flood=Flood() if arguments.flood else None,
        log=log,
        port=arguments.port,
        keep=KEEP,
    )


def _slack(arguments: argparse.Namespace, log: Log) -> Peer:
    return SlackPeer(
        bot_token=arguments.bot_token,
        app_token=arguments.app_token,
        signing_secret=arguments.signing_secret,
        tiers=Tiers() if arguments.flood else None,
        echo=not arguments.no_echo,
        strict=arguments.strict,
        log=log,
        port=arguments.port,
        keep=KEEP,
    )


def _wechat(arguments: argparse.Namespace, log: Log) -> Peer:
    return WeChatPeer(
        app_id=arguments.app_id,
        secret=arguments.app_secret,
        token=arguments.callback_token,
        aes_key=arguments.aes_key,
        mode=arguments.mode,
        patience=arguments.patience,
        may_send=not arguments.no_permission,
        log=log,
        port=arguments.port,
        keep=KEEP,
    )


def _script(arguments: argparse.Namespace) -> Script:
    if arguments.tokens is None:
        return echo()
    chunks = arguments.chunks or arguments.tokens
    answer = Answer(
        text=words(arguments.tokens),
        chunks=chunks,
        pace=arguments.over / chunks,
        first=arguments.first,
    )
    return always(answer)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.peers", description=__doc__)
    parser.add_argument("peer", choices=["telegram", "slack", "wechat", "model"])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log", type=Path, help="write every request and outcome as JSON lines")
    parser.add_argument("--seconds", type=float, help="stop after so long")
    people = parser.add_argument_group("telegram and slack")
    people.add_argument("--strict", action="store_true", help="refuse chats nobody introduced")
    people.add_argument("--flood", action="store_true", help="refuse what comes too fast")
    telegram = parser.add_argument_group("telegram")
    telegram.add_argument("--token", default=TOKEN)
    _add_slack(parser.add_argument_group("slack"))
    _add_wechat(parser.add_argument_group("wechat"))
    model = parser.add_argument_group("model (without --tokens: an echo)")
    model.add_argument("--key", help="refuse every other key")
    model.add_argument("--tokens", type=int, help="always answer with so many words")
    model.add_argument("--chunks", type=int, help="stream the answer in so many chunks")
    model.add_argument("--over", type=float, default=0.0, help="stream it over so many seconds")
    model.add_argument("--first", type=float, default=0.0, help="seconds until the first chunk")
    return parser


def _add_slack(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--bot-token", default=BOT_TOKEN)
    group.add_argument("--app-token", default=APP_TOKEN)
    group.add_argument("--signing-secret", default=SIGNING_SECRET)
    group.add_argument("--no-echo", action="store_true", help="keep our own messages from us")


def _add_wechat(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--app-id", default=APP_ID)
    group.add_argument("--app-secret", default=SECRET)
    group.add_argument("--callback-token", default=CALLBACK_TOKEN)
    group.add_argument("--aes-key", default=AES_KEY)
    group.add_argument("--mode", choices=["safe", "plaintext", "both"], default="safe")
    group.add_argument("--patience", type=float, default=5.0, help="seconds for one callback")
    group.add_argument("--no-permission", action="store_true", help="no service messages")


def _is_pipe(descriptor: int) -> bool:
    # /dev/null is at its end from the start and would stop the peer at once.
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _read_stdin(stopped: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        stopped.set()


if __name__ == "__main__":
    main()
