"""What cannot be done to a disk by this user is said: a run without it has tried a half."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.rows.disk_full import _kinds


@pytest.mark.parametrize(("seed", "kind"), [(1, "filled"), (2, "write_protected")])
def test_a_run_has_every_kind_of_trouble_or_says_why_not(
    tmp_path: Path, seed: int, kind: str
) -> None:
    lacking: list[str] = []
    with ExitStack() as stack:
        kinds = _kinds(seed, tmp_path / "disk", stack, lacking)
    assert (kind in kinds) is not bool(lacking)
    assert "limited" in kinds


def test_where_nothing_may_be_mounted_the_disk_was_never_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    lacking: list[str] = []
    with ExitStack() as stack:
        kinds: Mapping[str, object] = _kinds(1, tmp_path / "disk", stack, lacking)
    assert kinds.keys() == {"limited"}
    assert lacking == ["nothing may be mounted by this user: the disk was never full"]
