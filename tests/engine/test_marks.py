"""What a process knows of its own sends is of use until another has held the lane."""

from bot import Address, Outbound, Sent, TurnId
from bot.domain.conversation import ConversationId
from bot.domain.records import Claim, Node, OutboxRow, OutboxState
from bot.engine.marks import Marks, Wire
from tests.fakes import EPOCH

HERE = ConversationId(1)
ROW = OutboxRow(
    HERE,
    TurnId(1),
    0,
    Outbound("1/0", Address("list", "me", "room"), "hello"),
    OutboxState.SENDING,
    EPOCH,
    EPOCH,
    attempts=1,
)


def claim(fence: int, before: int = 0) -> Claim:
    return Claim(HERE, Node("one", 1), fence, before)


def test_a_mark_is_known_under_the_claim_that_follows() -> None:
    marks = Marks()
    marks.will_mark(claim(5), ROW)
    assert marks.about(claim(6, before=5), ROW) is Wire.UNTOUCHED
    marks.has_left(claim(6), ROW, Sent("1"))
    # PostgreSQL's fences are times.
    assert marks.about(claim(700, before=6), ROW) == Sent("1")


def test_a_mark_is_worth_nothing_when_a_claim_of_somebody_else_lies_between() -> None:
    marks = Marks()
    marks.will_mark(claim(5), ROW)
    assert marks.about(claim(7, before=6), ROW) is Wire.UNKNOWN
