"""What a person writes in the configuration, and what is said when it cannot work."""

from datetime import timedelta
from pathlib import Path

import pytest

from adapters.slack import Settings
from bot import ConfigError
from bot.configload import load

SOCKET = "slack: {use: adapters.slack, bot_token: xoxb-1-a, app_token: xapp-1-a}"
HTTP = "slack: {use: adapters.slack, mode: http, bot_token: xoxb-1-a, signing_secret: s}"


def loaded(folder: Path, entry: str, **environ: str) -> Settings:
    file = folder / "config.yaml"
    file.write_text(f"adapters:\n  {entry}\n", encoding="utf-8")
    found = load(file, environ, folder).settings.adapters["slack"]
    assert isinstance(found, Settings)
    return found


def problems(folder: Path, entry: str) -> str:
    with pytest.raises(ConfigError) as error:
        loaded(folder, entry)
    return str(error.value)


def test_a_mode_needs_only_its_own_secret(tmp_path: Path) -> None:
    socket, http = loaded(tmp_path, SOCKET), loaded(tmp_path, HTTP)
    assert (socket.mode, socket.signing_secret) == ("socket", None)
    assert (http.mode, http.app_token) == ("http", None)
    assert socket.timeout == timedelta(seconds=15)


def test_secrets_may_come_from_the_environment(tmp_path: Path) -> None:
    found = loaded(tmp_path, SOCKET, PARLEY_ADAPTERS__SLACK__BOT_TOKEN="xoxb-2-b")
    assert found.bot_token.get_secret_value() == "xoxb-2-b"


def test_an_address_ends_in_a_slash_however_it_is_written(tmp_path: Path) -> None:
    entry = SOCKET.replace("}", ", base_url: 'http://127.0.0.1:1/api'}")
    assert loaded(tmp_path, entry).base_url == "http://127.0.0.1:1/api/"
    assert loaded(tmp_path, SOCKET).base_url == "https://slack.com/api/"


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (SOCKET.replace(", app_token: xapp-1-a", ""), "mode socket needs app_token"),
        (HTTP.replace(", signing_secret: s", ""), "mode http needs signing_secret"),
        (SOCKET.replace("xoxb-1-a", "xapp-1-a"), "this is an app-level token"),
        (SOCKET.replace("xapp-1-a", "xoxb-1-a"), "this is a bot token"),
        (SOCKET.replace("bot_token: xoxb-1-a, ", ""), "bot_token"),
        (SOCKET.replace("}", ", mode: carrier}"), "mode"),
    ],
)
def test_a_mistake_is_said_with_its_place_and_without_the_secret(
    tmp_path: Path, entry: str, words: str
) -> None:
    said = problems(tmp_path, entry)
    assert words in said
    assert "adapters.slack" in said
    assert "xapp-1-a" not in said
    assert "xoxb-1-a" not in said
