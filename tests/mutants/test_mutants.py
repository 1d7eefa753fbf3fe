"""The mutants have not rotted, their table is whole, and a run that proves nothing is no proof."""

import ast
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from tests.architecture.source import ROOT
from tests.mutants.listed import ALL, ROOMS
from tests.mutants.mutant import Edit, RottenError
from tests.mutants.page import BEGIN, END, PAGE, read, write
from tests.mutants.trial import Verdict

STORES = {"", "memory", "sqlite", "postgres"}


def files_of(tests: Iterator[str]) -> set[Path]:
    return {ROOT / test.partition("::")[0] for test in tests}


def test_what_a_mutant_takes_out_stands_exactly_once_in_its_file() -> None:
    for one in ALL.values():
        for edit in one.edits:
            edit.check(ROOT)


def test_every_mutant_has_a_name_of_its_own_a_known_store_and_tests_that_exist() -> None:
    names = [one.name for room in ROOMS for one in room.MUTANTS]
    assert sorted(names) == sorted(ALL)
    assert {one.only for one in ALL.values()} == STORES
    asked = chain.from_iterable(one.tests for one in ALL.values())
    assert all(path.is_file() for path in files_of(asked))


def test_the_table_names_exactly_the_mutants_that_exist() -> None:
    table = read()
    assert list(table) == list(ALL)
    assert {name: says for name, (says, _) in table.items()} == {
        name: one.says for name, one in ALL.items()
    }


def test_every_test_of_the_table_is_still_there_and_is_one_that_is_asked() -> None:
    written = {name: test for name, (_, test) in read().items()}
    there = {path: _tests(path) for path in files_of(iter(written.values()))}
    for name, test in written.items():
        file, _, function = test.partition("::")
        assert file in {asked.partition("::")[0] for asked in ALL[name].tests}
        assert function.partition("[")[0] in there[ROOT / file]


def test_the_table_is_drawn_between_its_marks_and_keeps_what_was_not_tried_now(
    tmp_path: Path,
) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\n{END}\nafter\n", encoding="utf-8")
    first, second, *_ = ALL
    write({first: "tests/a.py::test_a[x]"}, page)
    write({second: "tests/b.py::test_b", "no-mutant": "tests/c.py::test_c"}, page)
    assert {name: test for name, (_, test) in read(page).items()} == {
        first: "tests/a.py::test_a[x]",
        second: "tests/b.py::test_b",
    }
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"before\n{BEGIN}")
    assert text.endswith(f"{END}\nafter\n")
    assert PAGE.read_text(encoding="utf-8").count(BEGIN) == 1


@pytest.mark.parametrize("text", ["nothing of it", "here and here", None])
def test_an_edit_that_no_longer_fits_is_refused(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "a.py").write_text(text, encoding="utf-8")
    with pytest.raises(RottenError, match=r"a\.py: found [02] times"):
        Edit("a.py", "here", "there").make(tmp_path)


def test_an_edit_is_made_once_and_leaves_the_rest(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("right here\nand on\n", encoding="utf-8")
    Edit("a.py", "here", "there").make(tmp_path)
    assert (tmp_path / "a.py").read_text(encoding="utf-8") == "right there\nand on\n"


@pytest.mark.parametrize("code", [0, 2, 3, 4, 5, None])
def test_only_a_failing_test_notices_a_mutant(code: int | None) -> None:
    failed = ("tests/a.py::test_a",)
    assert Verdict(1, failed, "").caught
    assert not Verdict(code, failed, "").caught
    assert not Verdict(1, (), "ERROR at setup").caught


def _tests(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
