"""The manifest asks for what the code uses, for all of it and for nothing else."""

import ast
import json
import re
from itertools import chain
from pathlib import Path

import pytest

import adapters.slack
from adapters.slack import manifest
from adapters.slack.manifest import COMMAND, EVENTS, METHODS, SCOPES, WORDS
from bot.cli import main
from tests.adapters.slack.line import http, line, sockets
from tests.peers.faults import cut
from tests.peers.slack_events import ANN, DIRECT, GENERAL

FOLDER = Path(adapters.slack.__file__).parent


def called() -> set[str]:
    """The methods of the library's client that our code calls, by Slack's names."""
    names: set[str] = set()
    for file in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Attribute(attr="web"), attr=name)):
                    names.add(name)
                case _:
                    pass
    return names - {"exchange"}


def test_every_method_that_is_called_is_listed_with_its_scope() -> None:
    listed = {name.replace(".", "_") for name in METHODS} | {"apps_connections_open"}
    assert called() == listed
    assert set(chain(*METHODS.values())) <= SCOPES.keys()


def test_every_event_that_is_asked_for_has_the_scope_that_it_needs() -> None:
    assert set(chain(*EVENTS.values())) <= SCOPES.keys()


def test_no_scope_is_asked_for_that_nothing_needs() -> None:
    used = {*chain(*EVENTS.values(), *METHODS.values()), "commands"}
    assert SCOPES.keys() - used == set()


def test_the_manifest_says_what_the_constants_say() -> None:
    made = manifest()
    assert made["oauth_config"]["scopes"]["bot"] == sorted(SCOPES)
    assert made["settings"]["event_subscriptions"]["bot_events"] == sorted(EVENTS)
    (command,) = made["features"]["slash_commands"]
    assert command["command"] == COMMAND
    assert all(word in command["usage_hint"] for word in WORDS)
    assert made["settings"]["socket_mode_enabled"] is True
    assert not re.search(r"https?://", str(made))


def test_for_http_every_address_is_the_same_one() -> None:
    made = manifest("http", "https://bot.example.com/in/staff", "Helper")
    found = re.findall(r"https://[^']+", str(made))
    assert found == ["https://bot.example.com/in/staff"] * 3
    assert made["settings"]["socket_mode_enabled"] is False
    assert made["display_information"]["name"] == "Helper"


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["slack", "manifest", "--mode", "http", "--url", "https://a.example/in/slack"])
    assert ended.value.code == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == manifest("http", "https://a.example/in/slack")


async def test_with_exactly_these_scopes_everything_works() -> None:
    async with sockets(peer={"scopes": " ".join(SCOPES)}) as made:
        thread = made.peer.ask("hello")["event"]["ts"]
        await made.desk.has(1)
        made.peer.faults.plan(cut(effect=True), method="chat.postMessage")
        await made.adapter.send(made.out(GENERAL, "found again", thread))
        made.peer.faults.plan(cut(effect=True), method="chat.postMessage")
        await made.adapter.send(made.out(DIRECT, "found again"))
        await made.adapter.send(made.out(GENERAL, "psst", ANN))
        assert (await made.adapter.probe()).ok
        statuses = {exchange.status for exchange in made.peer.exchanges}
        assert statuses <= {0, 200}
        errors = [entry.fields.get("body") for entry in made.peer.log.of("outcome")]
        assert not [body for body in errors if isinstance(body, dict) and not body.get("ok", True)]


@pytest.mark.parametrize("scope", sorted(SCOPES))
async def test_without_any_one_of_them_the_probe_says_which(scope: str) -> None:
    async with line(peer={"scopes": " ".join(SCOPES.keys() - {scope})}) as made:
        health = await made.adapter.probe()
        assert (health.ok, scope in health.detail) == (False, True)


async def test_both_kinds_are_built_from_the_same_settings() -> None:
    async with line() as made:
        assert type(made.adapter).__name__ == "SocketAdapter"
        assert (made.adapter.platform, made.adapter.account) == ("slack", None)
    async with http() as made:
        assert type(made.adapter).__name__ == "HttpAdapter"
