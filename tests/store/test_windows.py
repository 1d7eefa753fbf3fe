"""The cache of windows gives what the table would, whatever happened in between."""

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.conversation import ConversationId
from bot.domain.message import Message, Role, Text
from bot.store.windows import Windows
from tests.fakes import EPOCH

HERE = ConversationId(1)


def _message(id: int) -> Message:
    return Message(Role.USER, (Text(str(id)),), EPOCH, id)


_read = st.tuples(st.just("read"), st.integers(1, 12), st.integers(0, 6))
_append = st.tuples(st.just("append"), st.integers(1, 4), st.just(0))
_other = st.tuples(st.sampled_from(["drop", "late"]), st.just(0), st.just(0))


@settings(deadline=None)
@given(st.lists(st.one_of(_read, _append, _other), max_size=40))
def test_a_read_is_never_answered_wrongly(steps: list[tuple[str, int, int]]) -> None:
    windows, table = Windows(), [_message(1), _message(2)]
    for what, one, two in steps:
        if what == "read":
            truth = [message for message in table if message.id >= one]
            truth = truth[-two:] if two else []
            known = windows.get(HERE, one, two)
            assert known is None or known == truth
            if known is None:
                windows.put(HERE, one, two, truth)
        elif what == "append":
            fresh = [_message(table[-1].id + n) for n in range(1, one + 1)]
            table += fresh
            windows.extend(HERE, fresh)
        elif what == "late":
            windows.extend(HERE, table[-2:])
        else:
            windows.drop(HERE)


def test_a_conversation_that_goes_on_is_read_once() -> None:
    windows = Windows()
    windows.put(HERE, 1, 4, [])
    for n in range(1, 60):
        windows.extend(HERE, [_message(n)])
        known = windows.get(HERE, 1, 4)
        assert known is not None
        assert [message.id for message in known] == list(range(max(1, n - 3), n + 1))


def test_only_so_many_conversations_are_kept() -> None:
    windows = Windows(most=2)
    for n in (1, 2):
        windows.put(ConversationId(n), 1, 4, [])
    assert windows.get(ConversationId(1), 1, 4) == []
    windows.put(ConversationId(3), 1, 4, [])
    assert windows.get(ConversationId(2), 1, 4) is None
    assert windows.get(ConversationId(1), 1, 4) == []


def test_only_so_much_is_kept_however_few_conversations_it_is() -> None:
    windows = Windows(size=20_000)
    windows.put(ConversationId(1), 1, 4, [_long(1), _long(2)])
    windows.put(ConversationId(2), 1, 4, [])
    windows.extend(ConversationId(2), [_long(1)])
    assert windows.get(ConversationId(1), 1, 4) is not None
    assert windows.get(ConversationId(2), 1, 4) is not None
    windows.extend(ConversationId(2), [_long(2)])
    assert windows.get(ConversationId(1), 1, 4) is None
    assert [message.id for message in windows.get(ConversationId(2), 1, 4) or ()] == [1, 2]
    windows.extend(ConversationId(2), [_long(3), _long(4)])
    assert windows.get(ConversationId(2), 1, 4) is None


def test_what_has_gone_from_a_window_no_longer_counts() -> None:
    windows = Windows(size=40_000)
    windows.put(HERE, 1, 2, [])
    for seq in range(1, 100):
        windows.extend(HERE, [_long(seq)])
        assert windows.get(HERE, 1, 2) is not None
    windows.put(ConversationId(2), 1, 4, [_long(seq) for seq in (1, 2)])
    windows.drop(ConversationId(2))
    windows.put(ConversationId(2), 1, 4, [_long(seq) for seq in (1, 2)])
    assert windows.get(HERE, 1, 2) is not None


def _long(seq: int) -> Message:
    return Message(Role.ASSISTANT, (Text("x" * 5_000),), EPOCH, seq)
