"""`parley` as an operator types it: sentences, exit codes, with a server and without one."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot.cli import main
from bot.cli.words import locale, spoken
from bot.clock import SystemClock
from bot.control import read_note
from bot.domain.address import Address, Sender
from bot.domain.message import Inbound, Kind, Message, Role, Text
from bot.domain.records import Placement
from bot.store.sqlite import SqliteStore
from tests.contracts.worlds import World
from tests.needs import ROOT

ANN = "terminal:terminal:ann"
CONFIG = """
database: sqlite:///parley.db
server: {port: 0, token: canary-token}
plugins: [{use: plugins.calculator}, {use: ./orders.py}]
adapters: {}
audiences: {guests: {tools: [calculator]}, shop: {tools: [orders]}}
"""
PLUGIN = '''
"""What customers ordered."""
from bot import ToolContext, tool


@tool(private=True, needs_approval=True, roles=["clerk"], effect="once")
async def cancel_order(ctx: ToolContext, number: int) -> str:
    """Cancel an order.

    Args:
        number: The order's number.
    """
    return f"{number} is cancelled"
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a configuration, in which commands are run."""
    for name in [name for name in os.environ if name.startswith(("PARLEY_", "LC_", "OPENAI_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "orders.py").write_text(PLUGIN, encoding="utf-8")
    return tmp_path


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command; its exit code and what it wrote to both streams."""

    def run_command(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(words)
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return run_command


Run = Callable[..., tuple[int, str, str]]


def fill(folder: Path, work: Callable[[World], Awaitable[None]]) -> None:
    """Let a test write into the database as a server would."""

    async def do() -> None:
        clock = SystemClock()
        store = SqliteStore(folder / "parley.db", clock)
        await store.open()
        try:
            await work(World(store, _no_age, clock.now, _no_other))
        finally:
            await store.close()

    asyncio.run(do())


async def a_dead_letter(world: World) -> None:
    """Ann asked something, and the answer was given up."""
    address = Address("terminal", "terminal", "ann")
    ann = Sender("ann", "Ann")
    message = Message(
        Role.USER, (Text("is it \x1b[2Jclear?"),), sent_at=world.now(), sender=ann, platform_id="m1"
    )
    inbound = Inbound("m1", address, ann, message, kind=Kind.MESSAGE)
    accepted = await world.store.accept(inbound, Placement("default", "terminal", ""))
    node = await world.node()
    claim = await world.store.claim_one(node, accepted.conversation)
    assert claim is not None
    (row,) = await world.answered(claim, "quite clear")
    row = await world.store.take(claim, row)
    await world.store.bury(claim, row, error="the chat is closed")
    await world.store.release(claim)
    await world.store.leave(node)


async def _no_age(seconds: float) -> None:
    raise AssertionError("nothing gets older here")


async def _no_other() -> SqliteStore:
    raise AssertionError("one server for each file")


def dead_letter(run: Run) -> str:
    """The name of the one dead letter there is."""
    code, out, _ = run("outbox", "list", "--state", "dead")
    assert code == 0
    (line,) = out.splitlines()
    return line.split()[0]


@contextmanager
def serving(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """`parley serve`, until the block ends."""
    with subprocess.Popen(
        [sys.executable, "-m", "bot", "serve"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert "listening" in process.stdout.readline()
            yield process
        finally:
            process.terminate()
            process.wait(60)


# ---- words and exit codes --------------------------------------------------------------------


def test_a_wrong_configuration_is_sentences_and_exit_code_2(run: Run, folder: Path) -> None:
    (folder / "config.yaml").write_text("sever: {}\n", encoding="utf-8")
    for words in (["check"], ["status"], ["serve"], ["chat"], ["outbox", "list"]):
        code, out, err = run(*words)
        assert (code, out) == (2, "")
        assert err.startswith("parley: sever (config.yaml line 1)")


def test_a_file_that_is_not_there_is_named(run: Run) -> None:
    code, _, err = run("status", "--config", "other.yaml")
    assert (code, err) == (2, "parley: --config names other.yaml: there is no such file\n")


@pytest.mark.parametrize("command", ["migrate", "outbox list", "inbox list", f"history {ANN}"])
def test_a_database_that_cannot_be_opened_is_a_sentence(
    run: Run, folder: Path, command: str
) -> None:
    (folder / "parley.db").mkdir()
    code, _, err = run(*command.split())
    assert code == 2
    assert err.startswith("parley: database: ")
    assert "the user that runs Parley" in err


def test_the_version_is_one_line(run: Run) -> None:
    code, out, _ = run("version")
    assert code == 0
    assert out.startswith("parley 0.")


@pytest.mark.parametrize(
    ("environ", "language"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "en_US.UTF-8"}, "en"),
        ({"LANG": "C.UTF-8"}, None),
        ({"LANG": "de_DE.UTF-8"}, None),
    ],
)
def test_the_language_is_the_shells(
    folder: Path, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], language: str | None
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert spoken() == language
    assert locale() == (language or "en")


def test_a_chinese_shell_is_answered_in_chinese(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    code, out, _ = run("status")
    assert code == 0
    assert "没有在这个数据库上运行" in out


# ---- looking ---------------------------------------------------------------------------------


def test_check_shows_values_with_their_sources_and_no_secret(run: Run, folder: Path) -> None:
    fill(folder, a_dead_letter)
    code, out, _ = run("check")
    assert code == 0
    assert "canary-token" not in out
    assert any(
        line.split() == ["server.token", "****", "config.yaml", "line", "3"]
        for line in out.splitlines()
    )
    assert out.splitlines()[-1] == "Everything is in order."


def test_check_fails_when_something_cannot_be_reached(run: Run, folder: Path) -> None:
    fill(folder, a_dead_letter)
    models = "models: {main: {use: openai, base_url: 'http://127.0.0.1:9/v1'}}\n"
    (folder / "config.yaml").write_text(CONFIG + models, encoding="utf-8")
    code, out, _ = run("check")
    assert code == 1
    assert any(line.startswith("wrong") and "main" in line for line in out.splitlines())


@pytest.mark.parametrize(
    ("shell", "file", "last"),
    [
        ("zh_CN.UTF-8", "", "一切正常。"),
        ("zh_CN.UTF-8", "locale: en\n", "Everything is in order."),
        ("en_GB.UTF-8", "locale: zh\n", "一切正常。"),
    ],
)
def test_check_speaks_the_language_of_the_file_else_the_shells(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, *, shell: str, file: str, last: str
) -> None:
    monkeypatch.setenv("LANG", shell)
    (folder / "config.yaml").write_text(CONFIG + file, encoding="utf-8")
    code, out, _ = run("check")
    assert code == 0
    assert out.splitlines()[-1] == last


def test_plugin_list_shows_how_and_for_whom_a_function_is(run: Run, folder: Path) -> None:
    code, out, _ = run("plugin", "list")
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "calculate(expression: string)"
    assert lines[1].startswith("    read · everyone, guests · ")
    assert lines[2] == "cancel_order(number: integer)"
    assert lines[3] == "    once · asks first · only for clerk · shop · orders.py:6"


def test_status_of_a_new_folder_is_no_error(run: Run) -> None:
    code, out, _ = run("status")
    assert code == 0
    assert "There is no database yet" in out


def test_history_shows_what_one_person_said_and_was_told(run: Run, folder: Path) -> None:
    fill(folder, a_dead_letter)
    code, out, _ = run("history", ANN)
    assert code == 0
    first, said, told = out.splitlines()
    assert first == f"— {ANN}"
    assert said.endswith("Z > is it [2Jclear?")
    assert told.endswith("Z < quite clear")
    assert run("history", "terminal:terminal:bob")[1] == (
        "Nothing is kept of terminal:terminal:bob.\n"
    )
    assert run("history", "ann")[0] == 1


# ---- changing, without a server --------------------------------------------------------------


def test_migrate_makes_the_database(run: Run, folder: Path) -> None:
    assert run("migrate")[:2] == (0, "The database has the schema of this version.\n")
    assert (folder / "parley.db").exists()


def test_a_dead_letter_can_be_seen_and_sent_again(run: Run, folder: Path) -> None:
    fill(folder, a_dead_letter)
    name = dead_letter(run)
    code, out, _ = run("outbox", "show", name)
    assert code == 0
    assert "because: the chat is closed" in out
    assert "quite clear" not in out
    assert run("outbox", "show", name, "--text")[1].endswith("quite clear\n")
    assert run("outbox", "retry", name) == (0, f"{name}: due now.\n", "")
    assert run("outbox", "list", "--state", "queued")[1].split()[:2] == [name, "queued"]
    code, out, _ = run("outbox", "retry", name)
    assert code == 1
    assert "no dead or held answer" in out


def test_every_dead_letter_can_be_sent_again_at_once(run: Run, folder: Path) -> None:
    fill(folder, a_dead_letter)
    name = dead_letter(run)
    assert run("outbox", "retry", "--all") == (0, f"{name}: due now.\n", "")
    assert run("outbox", "retry")[0] == 1


def test_a_dead_letter_can_be_deleted(run: Run, folder: Path) -> None:
    fill(folder, a_dead_letter)
    name = dead_letter(run)
    assert run("outbox", "drop", name) == (0, f"{name}: deleted.\n", "")
    assert run("outbox", "list") == (0, "Nothing waits to be sent.\n", "")
    assert run("outbox", "drop", name)[0] == 1
    code, _, err = run("outbox", "show", name)
    assert code == 1
    assert "no unsent answer" in err


@pytest.mark.parametrize("name", ["7", "1/2", "a/b/c", "1/2/-3", f"1/2/{10**19}"])
def test_an_id_of_another_form_is_explained(run: Run, name: str) -> None:
    code, _, err = run("outbox", "show", name)
    assert code in {1, 2}
    assert "conversation/turn/piece" in err


def test_an_unknown_state_is_told_with_those_there_are(run: Run) -> None:
    code, _, err = run("outbox", "list", "--state", "lost")
    assert code == 1
    assert err == (
        "parley: --state lost: there is no such state; "
        "write one of queued, sending, held, dead, expired, ambiguous, repeated\n"
    )


def test_erase_leaves_nothing_and_says_when_there_was_nothing(run: Run, folder: Path) -> None:
    fill(folder, a_dead_letter)
    code, out, _ = run("erase", ANN, "--yes")
    assert (code, out) == (0, f"Deleted: {ANN}.\n")
    assert not [path for path in folder.iterdir() if b"quite clear" in path.read_bytes()]
    assert run("erase", ANN, "--yes") == (1, f"There is no conversation at {ANN}.\n", "")
    assert run("erase", "nowhere", "--yes")[0] == 1


# ---- with a running server -------------------------------------------------------------------


@pytest.mark.slow
def test_orders_go_to_the_running_server(run: Run, folder: Path) -> None:
    fill(folder, a_dead_letter)
    name = dead_letter(run)
    with serving(folder) as process:
        assert f"running (process {process.pid})" in run("status")[1]
        code, _, err = run("migrate")
        assert code == 2
        assert "another Parley" in err
        assert run("outbox", "retry", name)[0] == 0
        assert run("erase", ANN, "--yes")[0] == 0
        assert run("history", ANN)[1].startswith("Nothing is kept")
    assert not list(folder.glob("*.control"))


@pytest.mark.slow
def test_a_server_that_was_killed_leaves_nothing_in_the_way(run: Run, folder: Path) -> None:
    fill(folder, a_dead_letter)
    with serving(folder) as process:
        process.kill()
        process.wait(60)
    assert read_note(folder / "parley.db.control") is not None
    assert "not running" in run("status")[1]
    assert run("erase", ANN, "--yes")[0] == 0


@pytest.mark.slow
def test_the_program_is_started_as_a_module_and_ends_in_sentences(folder: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "bot", "erase", "nowhere", "--yes"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("parley: nowhere: an address has the form")
    assert "Traceback" not in ended.stderr
