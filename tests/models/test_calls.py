"""Tool calls are joined from whatever fragments a provider sends."""

from typing import Any

import pytest

from bot.errors import Transient
from bot.models.calls import Calls

Fragment = tuple[int | None, str | None, str | None, Any]
ONE = [("c1", "look", '{"at":"x"}')]
TWO = [("c1", "look", '{"at":"x"}'), ("c2", "look", '{"at":"y"}')]


def joined(*fragments: Fragment) -> list[tuple[str, str, str]]:
    calls = Calls(step=3)
    for fragment in fragments:
        calls.add(*fragment)
    return calls.joined("main")


@pytest.mark.parametrize(
    "fragments",
    [
        pytest.param(
            [(0, "c1", "look", ""), (0, None, None, '{"at"'), (0, None, None, ':"x"}')], id="split"
        ),
        pytest.param(
            [(1, "c1", "look", '{"at"'), (1, None, None, ':"x"}')], id="index begins with one"
        ),
        pytest.param([(None, "c1", "look", '{"at"'), (None, None, None, ':"x"}')], id="no index"),
        pytest.param(
            [(None, "c1", "look", '{"at"'), (None, "c1", "look", ':"x"}')],
            id="no index, id and name again",
        ),
        pytest.param([(0, "c1", "look", '{"at"'), (0, "c1", "look", ':"x"}')], id="name again"),
        pytest.param([(0, "c1", "look", '{"at"'), (0, "", "", ':"x"}')], id="later ones empty"),
        pytest.param([(0, "c1", "look", '{"at"'), (0, "c9", None, ':"x"}')], id="fresh id each"),
        pytest.param([(0, "", "look", '{"at"'), (0, "c1", None, ':"x"}')], id="id comes later"),
        pytest.param([(0, "c1", "look", {"at": "x"})], id="an object instead of its text"),
        pytest.param([(0, "c1", "look", '{"at":"x"}'), (0, "c1", "look", "")], id="empty end"),
        pytest.param(
            [(0, "c1", "look", "{}"), (0, None, None, '{"at"'), (0, None, None, ':"x"}')],
            id="an empty object first",
        ),
    ],
)
def test_fragments_of_one_call_are_one_call(fragments: list[Fragment]) -> None:
    assert joined(*fragments) == ONE


@pytest.mark.parametrize(
    "fragments",
    [
        pytest.param(
            [
                (0, "c1", "look", '{"at":'),
                (1, "c2", "look", '{"at":'),
                (0, None, None, '"x"}'),
                (1, None, None, '"y"}'),
            ],
            id="interleaved",
        ),
        pytest.param(
            [(0, "c1", "look", '{"at":"x"}'), (0, "c2", "look", '{"at":"y"}')], id="all index zero"
        ),
        pytest.param(
            [(None, "c1", "look", '{"at":"x"}'), (None, "c2", "look", '{"at":"y"}')], id="no index"
        ),
    ],
)
def test_two_calls_stay_two(fragments: list[Fragment]) -> None:
    assert joined(*fragments) == TWO


@pytest.mark.parametrize(("index", "name"), [(None, "look"), (0, "look"), (None, None), (0, "")])
def test_calls_without_ids_are_told_apart_by_whole_arguments(
    index: int | None, name: str | None
) -> None:
    calls = joined(
        (index, "", "look", '{"at":'),
        (index, "", None, '"x"}'),
        (index, "", name, '{"at":"y"'),
        (index, "", None, "}"),
    )
    assert [name for _, name, _ in calls] == ["look", "look"]
    assert [arguments for _, _, arguments in calls] == ['{"at":"x"}', '{"at":"y"}']
    assert len({id for id, _, _ in calls}) == 2


def test_a_call_that_is_told_twice_under_one_id_is_not_made_twice() -> None:
    assert len(joined(*[(0, "c1", "look", '{"at":"x"}')] * 2)) == 1


WHOLE = '{"at":"x"}'
STREAMED: list[Fragment] = [(0, "c1", "look", ""), (0, None, None, WHOLE)]


@pytest.mark.parametrize(
    "again",
    [
        pytest.param([(0, None, None, WHOLE)], id="whole"),
        pytest.param([(0, None, None, '{ "at": "x" }')], id="spaced in another way"),
        pytest.param([(0, "c9", None, WHOLE)], id="under a fresh id"),
        pytest.param([(0, "", "", '{"at"'), (0, "", "", ':"x"}')], id="in pieces"),
        pytest.param([(0, None, None, WHOLE)] * 2, id="two times more"),
        pytest.param([(0, None, None, "{}")], id="as an empty object"),
    ],
)
def test_arguments_that_are_told_again_without_a_name_make_no_second_call(
    again: list[Fragment],
) -> None:
    assert joined(*STREAMED, *again) == ONE


def test_what_is_told_again_hides_no_call_that_comes_after_it() -> None:
    other: Fragment = (0, "c2", "look", '{"at":"y"}')
    assert joined(*STREAMED, (0, None, None, WHOLE), other) == TWO


def test_a_call_that_is_named_twice_with_the_same_arguments_is_made_twice() -> None:
    calls = joined(*STREAMED, (0, "c2", "look", WHOLE))
    assert calls == [*ONE, ("c2", "look", WHOLE)]


def test_objects_within_arguments_begin_no_call() -> None:
    whole = '{"all":[{"at":"}"},{"at":"{}"}]}'
    fragments: list[Fragment] = [(0, "c1", "look", "")]
    fragments += [(0, None, None, character) for character in whole]
    assert joined(*fragments) == [("c1", "look", whole)]


def test_another_name_at_the_same_index_is_another_call() -> None:
    names = [name for _, name, _ in joined((0, "", "look", "{}"), (0, "", "hear", "{}"))]
    assert names == ["look", "hear"]


@pytest.mark.parametrize("arguments", [None, "", "  ", "null"])
def test_no_arguments_are_an_empty_object(arguments: str | None) -> None:
    assert joined((0, "c1", "look", arguments)) == [("c1", "look", "{}")]


def test_ids_that_are_missing_or_repeated_become_unique() -> None:
    calls = Calls(step=3)
    for name in ("a", "b", "c"):
        calls.put("same" if name != "c" else "", name, "{}")
    assert [id for id, _, _ in calls.joined("main")] == ["same", "same_3_2", "call_3_3"]


def test_a_call_without_a_name_is_no_answer() -> None:
    with pytest.raises(Transient):
        joined((0, "c1", None, "{}"))
