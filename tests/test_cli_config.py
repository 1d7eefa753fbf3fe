"""`parley check` and `parley init` as an operator runs them."""

import subprocess
import sys
from pathlib import Path

from bot.cli.options import starting

PARLEY = (sys.executable, "-m", "bot")


def parley(
    folder: Path, *words: str, typed: str = "", **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, with nothing in the environment that is not ours."""
    return subprocess.run(
        [*PARLEY, *words],
        cwd=folder,
        env={"PYTHONPATH": str(Path(__file__).parent.parent), "LANG": "C.UTF-8", **environ},
        input=typed,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


def test_every_mistake_is_a_sentence_on_stderr_and_the_exit_code_is_2(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(
        "server: {prot: 80}\nadapters: {}\nplugins: []\nlog: {level: loud}\n", encoding="utf-8"
    )
    run = parley(tmp_path, "check")
    assert run.returncode == 2
    assert run.stderr.splitlines() == [
        "parley: server.prot (config.yaml line 1): there is no such key; did you mean server.port?",
        'parley: log.level is "loud" (config.yaml line 4): '
        "write one of debug, info, warning or error",
    ]


def test_init_writes_a_file_once(tmp_path: Path) -> None:
    run = parley(tmp_path, "init", typed="web\nhttp://127.0.0.1:1/v1\nqwen3\n")
    assert run.returncode == 0
    text = (tmp_path / "config.yaml").read_text(encoding="utf-8")
    assert 'base_url: "http://127.0.0.1:1/v1"' in text
    assert 'model: "qwen3"' in text
    again = parley(tmp_path, "init", typed="web\n\n")
    assert again.returncode == 2
    assert again.stderr == (
        "parley: config.yaml is already there and stays as it is; name another with --config\n"
    )


def test_init_writes_the_file_that_the_environment_names(tmp_path: Path) -> None:
    run = parley(tmp_path, "init", typed="web\n\n", PARLEY_CONFIG="bot.yaml")
    start = f"{sys.executable} -m bot serve"
    assert run.stdout.rstrip().endswith(f"bot.yaml is written. Start with: {start}")
    assert [path.name for path in tmp_path.iterdir()] == ["bot.yaml"]
    named = parley(
        tmp_path, "init", "--config", "my own.yaml", typed="web\n\n", PARLEY_CONFIG="bot.yaml"
    )
    assert named.stdout.rstrip().endswith(f"Start with: {start} --config 'my own.yaml'")


def test_the_line_that_starts_a_server_is_one_that_works(tmp_path: Path) -> None:
    program = tmp_path / "parley"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    path, elsewhere = str(tmp_path), str(tmp_path / "elsewhere")
    assert starting(str(program), None, path=path) == "parley serve"
    assert starting(str(program), None, path=elsewhere) == f"{program} serve"
    assert starting(".venv/bin/parley", None, path=path) == ".venv/bin/parley serve"


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys; sys.argv = ['parley', '--help']\n"
        "import atexit; atexit.register(lambda: print(*sys.modules))\n"
        "from bot.cli import main; main()"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=True,
    )
    modules = set(run.stdout.split())
    assert "bot.cli" in modules
    assert modules.isdisjoint({"openai", "telegram", "aiohttp", "sqlalchemy", "uvicorn", "yaml"})
