"""Secrets are known by their name, by their form and by their value."""

from datetime import timedelta

import pytest

from bot.errors import ConfigError, Permanent
from bot.redaction import LONGEST, Redaction, is_secret_name, name_of, trace

# Invented, in the form of the real ones.
BOT_TOKEN = "1234567890:AAbbCCddEEffGGhhIIjjKKllMMnnOOppQQr"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJlLWNhbmFyeQ"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"polling with {BOT_TOKEN} now", BOT_TOKEN),
        (f"GET https://bot.test/bot{BOT_TOKEN}/getUpdates", BOT_TOKEN),
        ("GET https://bot.test/bot123:short/getMe", "short"),
        ("key sk-proj-canary_4711 is wrong", "canary_4711"),
        ("xoxb-canary-4711-abc", "canary-4711"),
        ("xapp-1-canary-4711", "canary-4711"),
        ("xoxe.xoxp-1-canary", "canary"),
        ("Authorization: Bearer canary4711.x", "canary4711"),
        ("authorization: basic Y2FuYXJ5NDcxMQ==", "Y2FuYXJ5NDcxMQ"),
        (f"token was {JWT}", JWT.split(".")[1]),
        ("postgresql://parley:canary4711@db/parley", "canary4711"),
        ("postgresql://parley:can@ry4711@db/parley", "ry4711"),
        ("https://api.test/cgi-bin/token?appid=a&secret=canary4711&x=1", "canary4711"),
        ("/in/wechat?signature=canary4711&timestamp=1", "canary4711"),
        ("POST /x?access_token=canary4711", "canary4711"),
        ("Cookie: a=1; visitor=canary4711; b=2", "canary4711"),
        ('{"set-cookie": "visitor=canary4711; Path=/"}', "canary4711"),
        ('{"api_key": "canary4711"}', "canary4711"),
        ("app_secret='canary4711'", "canary4711"),
        ("X-Telegram-Bot-Api-Secret-Token: canary4711", "canary4711"),
        ("db_password=canary4711", "canary4711"),
    ],
)
def test_a_secret_is_known_by_its_form(text: str, secret: str) -> None:
    assert secret not in Redaction().text(text)


@pytest.mark.parametrize(
    "text",
    [
        "turn.answered",
        "adapters/telegram/adapter.py:120",
        "2026-11-20T10:00:00+00:00",
        "node one:8080 took the tick of 10:00:00",
        "https://bot.test/docs/keys",
        "risk-free task-list",
    ],
)
def test_ordinary_words_stay_as_they_are(text: str) -> None:
    assert Redaction().text(text) == text


def test_a_configured_secret_is_known_by_its_value() -> None:
    redaction = Redaction(["correct horse"])
    redaction.hide("battery staple", "no")
    hidden = redaction.text("no correct horse, no battery staple")
    assert hidden == "no ***, no ***"


@pytest.mark.parametrize(
    "name",
    ["token", "bot_token", "X-Api-Key", "appSecret", "password", "Authorization", "set-cookie"],
)
def test_a_secret_is_known_by_its_name(name: str) -> None:
    assert is_secret_name(name)
    assert Redaction().plain(name, "whatever") == "***"
    assert Redaction().plain("headers", {name: ["whatever"]}) == {name: "***"}


@pytest.mark.parametrize("name", ["tokens", "monkey", "session", "author", "passed", "keyboard"])
def test_a_name_that_only_looks_like_a_secret_keeps_its_value(name: str) -> None:
    assert not is_secret_name(name)


def test_values_become_plain_and_objects_only_tell_their_type() -> None:
    plain = Redaction().plain
    assert plain("seconds", timedelta(seconds=90)) == 90.0
    assert plain("share", float("nan")) == "nan"
    assert plain("body", b"canary") == "<bytes>"
    assert plain("message", Permanent("canary")) == "<Permanent>"
    assert plain("deep", [[[[["canary"]]]]]) == [[[["<list>"]]]]


def test_a_long_text_is_cut_and_no_half_of_a_secret_survives() -> None:
    padding = "word " * 390
    cut = Redaction().text(f"{padding}1234567890123456789012345678901234567890 {BOT_TOKEN} end")
    assert len(cut) <= LONGEST + 1
    assert Redaction().text("x" * 100_000) == " …"
    cookies = "; ".join(["cookie: a=b"] * 300)
    assert len(Redaction().text(cookies)) < LONGEST


def test_a_trace_names_types_and_places_of_the_whole_chain_and_no_text() -> None:
    lines = trace(_failure())
    assert lines[0] == "Permanent"
    assert any(line.startswith("tests/test_redaction.py:") for line in lines)
    assert "because of ExceptionGroup" in lines
    assert "holds ConnectionResetError (ECONNRESET)" in lines
    assert "holds KeyError" in lines
    assert "canary" not in "\n".join(lines)


def test_an_error_that_is_its_own_cause_ends() -> None:
    error = ValueError()
    error.__cause__ = TypeError()
    error.__cause__.__cause__ = error
    assert trace(error) == ["ValueError", "because of TypeError"]


def test_an_error_is_named_with_its_code_where_it_has_one() -> None:
    class Answered(Exception):
        status_code = 429

    assert name_of(Answered()).endswith("Answered (429)")
    assert name_of(ConfigError("x")) == "ConfigError"
    assert name_of(FileNotFoundError(2, "canary")) == "FileNotFoundError (ENOENT)"


def _failure() -> Permanent:
    try:
        _fail()
    except Permanent as error:
        return error
    raise AssertionError


def _fail() -> None:
    causes = [ConnectionResetError(104, "canary"), KeyError("canary")]
    raise Permanent("canary") from ExceptionGroup("canary", causes)
