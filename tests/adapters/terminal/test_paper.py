"""What is kept of a person who talks through a pipe: nothing once they are forgotten."""

from pathlib import Path

import pytest

from adapters.terminal.paper import Paper


@pytest.mark.parametrize("kept", [True, False])
def test_forgetting_through_a_pipe_drops_what_was_typed_at_a_screen(
    tmp_path: Path, kept: bool
) -> None:
    recall = tmp_path / "parley.db.recall-1"
    if kept:
        recall.write_text("+a secret word\n", "utf-8")
    Paper(recall).forget()
    assert not recall.exists()


def test_where_nothing_is_kept_there_is_nothing_to_forget() -> None:
    Paper().forget()
