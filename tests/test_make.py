"""How an environment is made and refused, on machines that lack what most have."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.needs import ROOT

TOOLS = ("cat", "cksum", "dirname", "rm", "sh")
NO_ENSUREPIP = """#!/bin/sh
case "$2" in
    *"[:2]"*) echo 3.12 ;;
    *ensurepip*) exit 1 ;;
esac
"""
TOO_OLD = """#!/bin/sh
exit 1
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with no environment, on a machine with a shell and nothing else."""
    (tmp_path / "tools").mkdir()
    (tmp_path / "bin").mkdir()
    for name in ("tools/venv.sh", "requirements.lock", "requirements-dev.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    for tool in TOOLS:
        path = shutil.which(tool)
        assert path is not None
        (tmp_path / "bin" / tool).symlink_to(path)
    return tmp_path


def test_without_ensurepip_the_one_apt_line_is_printed(checkout: Path) -> None:
    _install(checkout, "python3", NO_ENSUREPIP)
    done = _make_environment(checkout)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].strip() == "sudo apt install python3.12-venv"
    assert not (checkout / ".venv").exists()


def test_a_python_that_is_too_old_is_refused_with_what_to_do(checkout: Path) -> None:
    _install(checkout, "python3", TOO_OLD)
    done = _make_environment(checkout)
    assert done.returncode == 1
    assert "no Python 3.11 or newer was found" in done.stderr
    assert "PYTHON=" in done.stderr


def test_a_second_start_needs_neither_python_nor_network(checkout: Path) -> None:
    _stamp(checkout)
    assert _make_environment(checkout).returncode == 0


def test_a_changed_lock_is_noticed(checkout: Path) -> None:
    _stamp(checkout)
    with (checkout / "requirements.lock").open("a", encoding="utf-8") as lock:
        lock.write("# another version\n")
    assert _make_environment(checkout).returncode == 1


def test_a_moved_checkout_is_noticed(checkout: Path) -> None:
    _stamp(checkout)
    moved = checkout.rename(checkout.with_name("elsewhere"))
    assert _make_environment(moved).returncode == 1


def _stamp(checkout: Path) -> None:
    """Mark the environment as made, in the words of the script itself."""
    (checkout / ".venv").mkdir()
    shown = subprocess.run(
        ["sh", "-c", 'echo "$PWD $(cksum < requirements.lock) $(cksum < pyproject.toml)"'],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=True,
    )
    (checkout / ".venv" / ".parley-run").write_text(shown.stdout, encoding="utf-8")


def _install(checkout: Path, name: str, script: str) -> None:
    path = checkout / "bin" / name
    path.write_text(script, encoding="utf-8")
    path.chmod(0o755)


def _make_environment(checkout: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["sh", "tools/venv.sh", "run"],
        cwd=checkout,
        env={"PATH": str(checkout / "bin"), "HOME": os.devnull},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
