"""Falsified logs whose screens look right at first sight: nothing lost, nothing twice?"""

from pathlib import Path

from tests.faults.checker.records import Line, Promise
from tests.faults.doctor import (
    BOT,
    LATER,
    answers,
    append,
    lines,
    two_answers,
)
from tests.faults.doctor_tools import (
    EDITING,
    EVENTS,
    SECOND,
    Forgery,
    change,
    kill,
    of_another_chat,
    tell,
)
from tests.faults.marks import END, REPEATED, marks_in

DRIVER = "driver.jsonl"
SORRY = "I am sorry: something went wrong each time I tried to answer this."


def elsewhere(folder: Path) -> None:
    """An answer is shown in another conversation of the same bot."""
    victim, other = next(answers(folder)), of_another_chat(folder)
    change(folder / BOT, victim, chat=other["chat"], message=9_999)


def too_late(folder: Path) -> None:
    """An answer comes a minute after the time that it has."""
    victim = next(answers(folder))
    change(folder / BOT, victim, mono=victim["mono"] + 120 * SECOND)


def halved(folder: Path) -> None:
    """A whole answer becomes half a one again: somebody's old edit came last."""
    victim = _edited(folder)
    text = victim["text"].partition(" five")[0]
    append(folder / EDITING, {**victim, "text": text, "mono": victim["mono"] + LATER})


def garbled(folder: Path) -> None:
    """Words are missing in the middle of an answer."""
    victim = next(answers(folder))
    change(folder / BOT, victim, text=victim["text"].replace(" four five", ""))


def one_sentence_for_two(folder: Path) -> None:
    """Two turns came to nothing, and only one of them was told so."""
    tell(folder, reports=True, least=0.0)
    kill(folder)
    first, second = two_answers(folder)
    change(folder / BOT, first, kind="gone")
    change(folder / BOT, second, text=SORRY)


def given_up_for_nothing(folder: Path) -> None:
    """A message was given up although nothing had gone wrong."""
    tell(folder, reports=True, least=0.0)
    change(folder / BOT, next(answers(folder)), text=SORRY)


def all_given_up(folder: Path) -> None:
    """After one kill nobody had an answer any more, everybody a sentence."""
    tell(folder, reports=True)
    kill(folder)
    shown = list(answers(folder))
    for victim in shown[len(shown) // 2 :]:
        change(folder / BOT, victim, text=SORRY)


def dead_for_nothing(folder: Path) -> None:
    """An answer counts as sent with an unknown end, and nothing had happened since it was due."""
    victim = next(answers(folder))
    kill(folder, when=0)
    change(folder / BOT, victim, kind="gone")
    marks = [str(mark) for mark in marks_in(victim["text"])]
    append(folder / "dead.jsonl", {"address": "", "error": "ambiguous", "marks": marks})


def unmarked_repeat(folder: Path) -> None:
    """Where answers grow by edits a second one stands, and does not say that it is one."""
    kill(folder)
    _show_again(folder / EDITING, _edited(folder), "")


def needless_repeat(folder: Path) -> None:
    """An answer that could have been edited is sent again, marked."""
    kill(folder)
    _show_again(folder / EDITING, _edited(folder), f"{REPEATED[0]} ")


def repeat_for_nothing(folder: Path) -> None:
    """A marked repeat, and the fault that was planned for the platform never struck."""
    victim = next(answers(folder))
    _show_again(folder / BOT, victim, f"{REPEATED[0]} ")
    planned = {"kind": "fault", "mono": victim["mono"], "node": "a", "kind_of": "hang"}
    append(folder / EVENTS, planned)


def repeat_for_another(folder: Path) -> None:
    """A marked repeat, and the only call that went wrong was another conversation's."""
    victim, other = next(answers(folder)), of_another_chat(folder)
    _show_again(folder / BOT, victim, f"{REPEATED[0]} ")
    call = {"mono": victim["mono"], "call": 99_999, "method": "sendMessage"}
    append(folder / BOT, {**call, "kind": "request", "chat": other["chat"], "body": {}})
    append(folder / BOT, {**call, "kind": "outcome", "status": 0, "fault": "hang"})


def alone_for_nothing(folder: Path) -> None:
    """The only answer says that it is a repeat, and nothing had gone wrong."""
    _mark(folder, next(answers(folder)))


def alone_although_reported(folder: Path) -> None:
    """After a kill the only answer says that it is a repeat, where the policy is to report."""
    tell(folder, ambiguous="report")
    kill(folder)
    _mark(folder, next(answers(folder)))


def repeat_for_a_plugin(folder: Path) -> None:
    """A marked repeat, and all that had happened was that a function for somebody else failed."""
    victim, other = next(answers(folder)), of_another_chat(folder)
    _show_again(folder / BOT, victim, f"{REPEATED[0]} ")
    failed = {"kind": "fault", "node": "plugin", "kind_of": "hostile:raise", "harmless": True}
    mark = str(marks_in(other["text"])[0])
    append(folder / EVENTS, {**failed, "mono": victim["mono"], "mark": mark})


def sentence_again_for_nothing(folder: Path) -> None:
    """Everybody has an answer, and somebody is told once more of a trouble that there never was."""
    tell(folder, reports=True)
    victim = next(answers(folder))
    append(folder / BOT, {**victim, "message": 9_999, "text": f"{REPEATED[0]} {SORRY}"})


def told_out_of_turn(folder: Path) -> None:
    """A turn came to nothing, and its person was told so behind the answer to the next message."""
    tell(folder, reports=True, least=0.0)
    kill(folder)
    first, second = two_answers(folder)
    change(folder / BOT, first, text=SORRY, mono=second["mono"] + LATER)


def idle_sentence(folder: Path) -> None:
    """Everybody has an answer, and somebody is told of trouble all the same."""
    tell(folder, reports=True)
    kill(folder)
    victim = next(answers(folder))
    append(folder / BOT, {**victim, "message": 9_999, "text": SORRY})


def turned_away(folder: Path) -> None:
    """A door said that a message had broken it, and took it when it came again."""
    victim = next(lines(folder / DRIVER))
    append(folder / DRIVER, {**victim, "kind": "delivered", "status": 500})


SCREENS: dict[Forgery, Promise] = {
    turned_away: Promise.NO_LOSS,
    elsewhere: Promise.ISOLATION,
    too_late: Promise.NO_LOSS,
    halved: Promise.NO_LOSS,
    garbled: Promise.NO_LOSS,
    one_sentence_for_two: Promise.NO_LOSS,
    given_up_for_nothing: Promise.NO_LOSS,
    all_given_up: Promise.NO_LOSS,
    dead_for_nothing: Promise.NO_LOSS,
    unmarked_repeat: Promise.AT_MOST_ONCE,
    needless_repeat: Promise.AT_MOST_ONCE,
    repeat_for_nothing: Promise.AT_MOST_ONCE,
    repeat_for_another: Promise.AT_MOST_ONCE,
    alone_for_nothing: Promise.AT_MOST_ONCE,
    alone_although_reported: Promise.AT_MOST_ONCE,
    repeat_for_a_plugin: Promise.AT_MOST_ONCE,
    sentence_again_for_nothing: Promise.AT_MOST_ONCE,
    told_out_of_turn: Promise.ORDER,
    idle_sentence: Promise.NO_PHANTOM,
}


def _edited(folder: Path) -> Line:
    edits = (line for line in lines(folder / EDITING) if line["kind"] == "edited")
    return next(line for line in edits if END in line["text"])


def _mark(folder: Path, victim: Line) -> None:
    change(folder / BOT, victim, text=f"{REPEATED[0]} {victim['text']}")


def _show_again(file: Path, victim: Line, mark: str) -> None:
    twin = {"kind": "shown", "message": 9_999, "mono": victim["mono"] + SECOND}
    append(file, {**victim, **twin, "text": mark + victim["text"]})
