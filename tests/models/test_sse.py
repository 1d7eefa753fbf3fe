"""Events come out whole, wherever the network cut the bytes."""

import pytest

from bot.errors import Permanent
from bot.models import sse
from bot.models.sse import Splitter

STREAM = (
    ": keep-alive\n\n"
    'data: {"a": "ü"}\n\n'
    "event: message\r\nid: 7\r\ndata:tight\r\n\r\n"
    "data: first\ndata: second\n\n"
    'error: {"error": "late"}\n\n'
    '{"bare": true}\n'
    "data: [DONE]\n"
).encode()
EVENTS = [
    '{"a": "ü"}'.encode(),
    b"tight",
    b"first\nsecond",
    b'{"error": "late"}',
    b'{"bare": true}',
    b"[DONE]",
]


@pytest.mark.parametrize("size", range(1, len(STREAM) + 1))
def test_events_are_the_same_however_the_bytes_were_cut(size: int) -> None:
    splitter = Splitter()
    events: list[bytes] = []
    for start in range(0, len(STREAM), size):
        events += splitter.feed(STREAM[start : start + size])
    assert events + splitter.end() == EVENTS


def test_an_event_without_its_blank_line_counts_at_the_end() -> None:
    splitter = Splitter()
    assert splitter.feed(b"data: last") == []
    assert splitter.end() == [b"last"]


def test_a_line_without_an_end_is_given_up() -> None:
    splitter = Splitter()
    piece = b"x" * (sse.LONGEST // 2)
    splitter.feed(piece)
    splitter.feed(piece)
    with pytest.raises(Permanent):
        splitter.feed(b"x")
