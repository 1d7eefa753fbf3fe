"""One server for each file."""

import os
from pathlib import Path

import pytest

from bot.errors import ConfigError
from bot.store.lock import Lock


def test_the_second_is_told_what_to_do(tmp_path: Path) -> None:
    first, second = Lock(tmp_path / "parley.db"), Lock(tmp_path / "parley.db")
    first.take()
    with pytest.raises(ConfigError, match=rf"process {os.getpid()}.*database\.url"):
        second.take()
    first.free()
    second.take()
    second.free()


def test_two_files_have_two_locks(tmp_path: Path) -> None:
    first, second = Lock(tmp_path / "one.db"), Lock(tmp_path / "two.db")
    first.take()
    second.take()
    first.free()
    second.free()


def test_a_lock_that_a_dead_process_left_behind_is_free(tmp_path: Path) -> None:
    (tmp_path / "parley.db.lock").write_text("4711")
    lock = Lock(tmp_path / "parley.db")
    lock.take()
    assert (tmp_path / "parley.db.lock").read_text() == str(os.getpid())
    lock.free()
    lock.free()
