"""Every line of the program's log has one form, and none holds a secret or what people write."""

import asyncio
import gc
import io
import json
import logging
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.errors import ConfigError
from bot.logs import Format, Level, Logs
from bot.store.migrate import migrate_sqlite
from tests.fakes import FakeClock

CANARY = "canary4711"
BOT_TOKEN = "1234567890:AAbbCCddEEffGGhhIIjjKKllMMnnOOppQQr"
FORMATS: tuple[Format, ...] = ("json", "console")
LIBRARIES = (
    *("httpx", "httpx2", "httpcore.http11", "httpcore2", "aiohttp.client", "aiohttp.access"),
    *("openai._base_client", "telegram.Bot", "telegram.ext", "asyncio", "sqlalchemy.engine.Engine"),
    *("slack_sdk.web", "slack_bolt", "uvicorn.access", "asyncpg", "somebody.elses.library"),
)


@contextmanager
def logging_to(
    stream: io.StringIO,
    *,
    format: Format = "json",
    level: Level = "debug",
    secrets: tuple[str, ...] = (),
    speakers: tuple[str, ...] = (),
) -> Iterator[Logs]:
    logs = Logs(
        format=format,
        level=level,
        clock=FakeClock(),
        stream=stream,
        secrets=secrets,
        speakers=speakers,
    )
    logs.install()
    try:
        yield logs
    finally:
        logs.uninstall()


def lines_of(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_line_of_json_with_its_fields() -> None:
    stream = io.StringIO()
    with logging_to(stream) as logs:
        logs.logger.info("turn.answered", turn=7, adapter="web", seconds=1.5, text="问\n题")
    assert stream.getvalue().count("\n") == 1
    assert lines_of(stream) == [
        {
            "time": "2026-01-05T09:00:00+00:00",
            "level": "info",
            "event": "turn.answered",
            "turn": 7,
            "adapter": "web",
            "seconds": 1.5,
            "text": "问\n题",
        }
    ]


def test_the_console_shows_one_event_in_one_line() -> None:
    stream = io.StringIO()
    with logging_to(stream, format="console") as logs:
        logs.logger.info("turn.answered", turn=7, words="two\nlines")
    assert stream.getvalue().count("\n") == 1
    assert "turn.answered" in stream.getvalue()
    assert "turn=7" in stream.getvalue()


def test_auto_is_json_where_nobody_looks_and_console_on_a_terminal() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    file, terminal = io.StringIO(), Terminal()
    for stream in (file, terminal):
        with logging_to(stream, format="auto") as logs:
            logs.logger.info("hello")
    assert json.loads(file.getvalue())["event"] == "hello"
    assert "\x1b[" in terminal.getvalue()


def test_what_is_less_important_than_the_level_is_not_written() -> None:
    stream = io.StringIO()
    with logging_to(stream, level="warning") as logs:
        logs.logger.info("quiet")
        logging.getLogger("plugins.orders").info("quiet")
        logs.logger.warning("loud")
        logging.getLogger("plugins.orders").warning("loud")
    assert [line["event"] for line in lines_of(stream)] == ["loud", "loud"]


@pytest.mark.parametrize("format", FORMATS)
def test_planted_secrets_and_words_reach_no_line(format: Format) -> None:
    stream = io.StringIO()
    with logging_to(stream, format=format, secrets=("hush-a-bye",)) as logs:
        logs.logger.error("failed", place=f"x?token={CANARY}", exc_info=_error())
        logs.logger.debug(
            "call", headers={"Authorization": CANARY}, arguments=[object(), CANARY[:0]]
        )
        logs.logger.info("url", url=f"https://x.test/bot{BOT_TOKEN}/sendMessage", api_key=CANARY)
        logs.logger.warning("known", note="hush-a-bye")
        for name in LIBRARIES:
            _speak(logging.getLogger(name))
        _speak_of_secrets(logging.getLogger("plugins.orders"))
    written = stream.getvalue()
    assert "failed" in written
    assert "somebody.elses.library" in written
    assert not [word for word in (CANARY, BOT_TOKEN, "hush-a-bye") if word in written]


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_library_is_told_by_its_place_and_only_when_it_warns(name: str) -> None:
    stream = io.StringIO()
    with logging_to(stream):
        logger = logging.getLogger(name)
        logger.debug("talk")
        logger.info("talk")
        logger.warning("talk about %s", CANARY)
    (line,) = lines_of(stream)
    assert line["event"] == "library.log"
    assert line["logger"] == name
    assert line["at"].startswith("tests/test_logs.py:")


def test_an_operators_own_plugin_may_speak() -> None:
    stream = io.StringIO()
    with logging_to(stream, speakers=("my_plugins",)):
        logging.getLogger("my_plugins.orders").info("stock of %s", "tea")
    assert lines_of(stream)[0]["event"] == "stock of tea"


@pytest.mark.parametrize("format", FORMATS)
def test_an_error_shows_its_type_and_places_and_never_its_text(format: Format) -> None:
    stream = io.StringIO()
    with logging_to(stream, format=format) as logs:
        logs.logger.error("failed", place="lane", exc_info=_error())
        logging.getLogger("plugins.orders").error("no", exc_info=_error())
    written = stream.getvalue()
    assert written.count("RuntimeError") == 2
    assert written.count("because of KeyError") == 2
    assert written.count("tests/test_logs.py:") >= 4
    assert CANARY not in written


def test_an_error_written_for_the_operator_keeps_its_sentence() -> None:
    stream = io.StringIO()
    with logging_to(stream) as logs:
        error = ConfigError("adapters.telegram.token is refused; ask BotFather for a new one")
        logs.logger.error("failed", place="listener", exc_info=error)
    assert lines_of(stream)[0]["detail"].startswith("adapters.telegram.token is refused")


def test_a_line_that_cannot_be_formatted_does_not_print_its_arguments() -> None:
    stream = io.StringIO()
    with logging_to(stream):
        logging.getLogger("plugins.orders").warning("%d pieces", CANARY)
    (line,) = lines_of(stream)
    assert line["event"] == "a log line that cannot be formatted"


def test_a_first_start_tells_nothing_of_the_schemas_steps(tmp_path: Path) -> None:
    stream = io.StringIO()
    with logging_to(stream, level="info"):
        migrate_sqlite(tmp_path / "parley.db", FakeClock())
    assert stream.getvalue() == ""


def test_a_full_disk_or_a_reader_that_is_gone_stops_nobody() -> None:
    class Broken(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "no space")

    closed = io.StringIO()
    with logging_to(Broken()) as broken, logging_to(closed) as logs:
        broken.logger.info("hello")
        closed.close()
        logs.logger.info("hello")


def test_the_last_words_of_threads_and_finalisers_are_lines_too() -> None:
    stream = io.StringIO()

    class Falls:
        def __del__(self) -> None:
            raise ValueError(CANARY)

    def fail() -> None:
        raise ValueError(CANARY)

    with logging_to(stream):
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join(5)
        falls: Falls | None = Falls()
        del falls
        gc.collect()
    assert {line["event"] for line in lines_of(stream)} == {"thread.failed", "finaliser.failed"}
    assert CANARY not in stream.getvalue()


def test_handlers_of_others_are_set_aside_and_come_back() -> None:
    library, theirs = logging.getLogger("somebody.loud"), io.StringIO()
    handler = logging.StreamHandler(theirs)
    library.addHandler(handler)
    hooks = threading.excepthook, sys.unraisablehook
    before = logging.getLogger().handlers[:], logging.getLogger().level
    try:
        with logging_to(io.StringIO()):
            library.error(CANARY)
        assert theirs.getvalue() == ""
        assert library.handlers == [handler]
    finally:
        library.removeHandler(handler)
    assert (logging.getLogger().handlers, logging.getLogger().level) == before
    assert (threading.excepthook, sys.unraisablehook) == hooks


async def test_an_event_loop_in_debug_mode_shows_no_arguments() -> None:
    async def slow(words: str) -> None:
        loop.slow_callback_duration = 0.0

    stream = io.StringIO()
    loop = asyncio.get_running_loop()
    with logging_to(stream):
        loop.set_debug(True)
        try:
            await asyncio.create_task(slow(CANARY))
            loop.call_soon(_fail_with, CANARY)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        finally:
            loop.set_debug(False)
    assert "asyncio" in stream.getvalue()
    assert CANARY not in stream.getvalue()


def test_a_provider_library_that_is_told_to_debug_stays_quiet() -> None:
    stream = io.StringIO()
    with logging_to(stream):
        logger = logging.getLogger("openai")
        before = logger.level
        logger.setLevel(logging.DEBUG)
        logging.basicConfig(level=logging.DEBUG)
        try:
            logger.debug("Request options: %s", {"json_data": CANARY})
        finally:
            logger.setLevel(before)
    assert stream.getvalue() == ""


def _fail_with(words: str) -> None:
    raise RuntimeError(words)


def _error() -> RuntimeError:
    try:
        _look_up({})
    except RuntimeError as error:
        return error
    raise AssertionError


def _look_up(things: Mapping[str, str]) -> str:
    try:
        return things[CANARY]
    except KeyError as error:
        raise RuntimeError(f"{CANARY} {BOT_TOKEN}") from error


def _speak(logger: logging.Logger) -> None:
    for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL):
        logger.log(level, "a person wrote %s", CANARY)
        logger.log(level, CANARY, exc_info=_error())
        logger.log(level, {"body": CANARY})


def _speak_of_secrets(logger: logging.Logger) -> None:
    logger.debug("GET https://x.test/?access_token=%s", CANARY)
    logger.info("headers %s", {"Authorization": f"Bearer {CANARY}", "Cookie": f"v={CANARY}"})
    logger.error("told us hush-a-bye", exc_info=_error())
