"""A byte that is no UTF-8 costs a character: never the retry, the breaker or the next rung."""

import pytest

from bot.domain.model import TextDelta
from bot.errors import ParleyError, Permanent, Transient
from bot.models.failures import Busy, complaint_of, failure
from bot.models.fallback import Fallback
from bot.models.openai_wire import Answer
from tests.fakes import FakeClock
from tests.models.asking import ScriptedModel, asking, collect, end_of, speaking_to
from tests.peers.faults import Fault, Sees
from tests.peers.model import ModelPeer

COMPLAINT = '{{"error":{{"message":"{}","code":"{}"}}}}'


def answer() -> Answer:
    return Answer("main", step=1)


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (503, "", Transient),
        (429, "rate_limit_exceeded", Busy),
        (400, "insufficient_quota", Permanent),
    ],
)
@pytest.mark.parametrize("encoding", ["gbk", "big5", "latin-1"])
def test_a_complaint_in_another_encoding_is_read_all_the_same(
    status: int, code: str, expected: type[ParleyError], encoding: str
) -> None:
    words = "déjà vu" if encoding == "latin-1" else "繁忙"
    content = COMPLAINT.format(words, code).encode(encoding)
    assert type(failure("main", complaint_of(status, content))) is expected


def test_a_streamed_answer_goes_on_behind_such_a_byte() -> None:
    reading = answer()
    deltas = reading.chunk(b'{"choices":[{"delta":{"content":"caf\xe9"}}]}')
    deltas += reading.chunk(b'{"choices":[{"delta":{"content":" au lait"}}]}')
    assert deltas == (TextDelta("caf\ufffd"), TextDelta(" au lait"))


def test_a_whole_answer_is_read_with_such_a_byte_in_it() -> None:
    body = b'{"choices":[{"message":{"content":"caf\xe9"},"finish_reason":"stop"}]}'
    assert next(answer().whole(body)) == TextDelta("caf\ufffd")


@pytest.mark.parametrize("body", ['{"error":{"message":"繁忙"}}', '{"choices":5,"error":"繁忙"}'])
def test_a_complaint_under_status_200_may_hold_such_bytes(body: str) -> None:
    with pytest.raises(Transient):
        answer().chunk(body.encode("gbk"))


@pytest.mark.parametrize("watched", [True, False])
async def test_the_next_rung_is_asked_when_a_gateway_complains_in_gbk(watched: bool) -> None:
    busy = Fault("gbk", Sees.ANSWER, status=503, body=COMPLAINT.format("繁忙", "").encode("gbk"))
    async with ModelPeer() as peer, speaking_to(peer.base_url) as main:
        peer.faults.plan(busy)
        rungs = Fallback({"main": main, "spare": ScriptedModel()}, FakeClock())
        deltas = await collect(rungs, asking(watched=watched))
    assert end_of(deltas).rung == "spare"
