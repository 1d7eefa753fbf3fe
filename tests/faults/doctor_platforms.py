"""Falsified logs of runs with Slack and with WeChat: what is wrong only there.

At Slack nothing is ever sent a second time, marked or not, since it can be read what stands
there. At WeChat nothing can be read, several answers may stand in one message, and a repeat has
to be marked and to have its reason.
"""

from pathlib import Path

from tests.faults.checker.outcomes import OPENING
from tests.faults.checker.records import Line, Promise
from tests.faults.doctor import BOT, LATER, answers, append, lines, rewrite
from tests.faults.doctor_tools import EDITING, EVENTS, Forgery, change
from tests.faults.marks import END, PROMISED, REPEATED, marks_in

WHOLE = EDITING
"""The log of the bot whose answers at Slack come in one call."""
DRIVER = "driver.jsonl"


# ---- Slack ---------------------------------------------------------------------------------


def lost_at_slack(folder: Path) -> None:
    """An answer never came to stand there."""
    change(folder / WHOLE, _whole(folder), kind="gone")


def lost_in_its_growth(folder: Path) -> None:
    """An answer that grew was never finished."""
    gone = next(line for line in lines(folder / BOT) if _says(line, "edited"))
    rewrite(folder / BOT, lambda line: None if line == gone else line)


def unmarked_at_slack(folder: Path) -> None:
    """After a kill an answer stands there twice, and does not say so."""
    kill_all(folder)
    _again(folder / WHOLE, _whole(folder), "")


def marked_at_slack(folder: Path) -> None:
    """After a kill a marked repeat: it could have been read that the answer stands there."""
    kill_all(folder)
    _again(folder / WHOLE, _whole(folder), f"{REPEATED[0]} ")


def marked_alone_at_slack(folder: Path) -> None:
    """After a kill the only answer says that it is a repeat: it could have been read."""
    kill_all(folder)
    victim = _whole(folder)
    change(folder / WHOLE, victim, text=f"{REPEATED[0]} {victim['text']}")


def left_at_slack(folder: Path) -> None:
    """After a kill a mark of thinking stays: it could have been found, and gone on with."""
    kill_all(folder)
    shown = next(line for line in lines(folder / BOT) if line["kind"] == "shown")
    append(folder / BOT, {**shown, "ts": "9.000001", "text": OPENING})


def dead_at_slack(folder: Path) -> None:
    """After a kill nobody knows whether an answer arrived: it could have been read."""
    victim = _whole(folder)
    kill_all(folder)
    change(folder / WHOLE, victim, kind="gone")
    marks = [str(mark) for mark in marks_in(victim["text"])]
    append(folder / "dead.jsonl", {"address": "", "error": "ambiguous", "marks": marks})


def elsewhere_at_slack(folder: Path) -> None:
    """An answer stands in somebody else's chat."""
    victim = _whole(folder)
    others = (line for line in lines(folder / WHOLE) if _says(line, "shown"))
    other = next(line for line in others if line["channel"] != victim["channel"])
    change(folder / WHOLE, victim, channel=other["channel"])


SLACK: dict[Forgery, Promise] = {
    lost_at_slack: Promise.NO_LOSS,
    lost_in_its_growth: Promise.NO_LOSS,
    left_at_slack: Promise.NO_LOSS,
    dead_at_slack: Promise.NO_LOSS,
    unmarked_at_slack: Promise.AT_MOST_ONCE,
    marked_at_slack: Promise.AT_MOST_ONCE,
    marked_alone_at_slack: Promise.AT_MOST_ONCE,
    elsewhere_at_slack: Promise.ISOLATION,
}


# ---- WeChat --------------------------------------------------------------------------------


def lost_in_a_call(folder: Path) -> None:
    """What a call brought was never seen: the platform said that it is out of order."""
    change(folder / BOT, next(answers(folder)), by="platform")


def only_promised(folder: Path) -> None:
    """A call said that the answer would come, and it never came."""
    change(folder / BOT, next(answers(folder)), text=f"{PROMISED}\nSend me anything.")


def lost_beside_another(folder: Path) -> None:
    """Two answers leave in one call; only one of them is read."""
    first, second = _two(folder)
    change(folder / BOT, first, kind="gone")
    change(folder / BOT, second, text=f"{second['text']}\n\nand another one")


def twice_by_two_ways(folder: Path) -> None:
    """After a kill the answer of a call comes as a message as well, unmarked."""
    kill_all(folder)
    _again(folder / BOT, next(answers(folder)), "")


def twice_in_one_call(folder: Path) -> None:
    """The next call brings the answer before it once more, unmarked, with its own."""
    kill_all(folder)
    first, second = _two(folder)
    change(folder / BOT, second, text=f"{first['text']}\n\n{second['text']}")


def marked_for_nothing(folder: Path) -> None:
    """A marked repeat, and nothing had gone wrong."""
    _again(folder / BOT, next(answers(folder)), f"{REPEATED[0]} ")


def marked_for_another(folder: Path) -> None:
    """A marked repeat, and the only call that went wrong was somebody else's."""
    victim = next(answers(folder))
    other = next(line for line in answers(folder) if line["openid"] != victim["openid"])
    _again(folder / BOT, victim, f"{REPEATED[0]} ")
    call = {"mono": victim["mono"], "call": 99_999, "method": "message/custom/send"}
    append(folder / BOT, {**call, "kind": "request", "body": {"touser": other["openid"]}})
    append(folder / BOT, {**call, "kind": "outcome", "status": 0, "fault": "hang"})


def hung_up_on_another(folder: Path) -> None:
    """The only answer says that it is a repeat, and the platform hung up on somebody else alone."""
    victim = mark_alone(folder)
    other = next(line for line in answers(folder) if line["openid"] != victim["openid"])
    hang_up(folder, other)


def hung_up_at_once(folder: Path) -> None:
    """The same, and the platform's call found no server: nothing can have been put into it."""
    hang_up(folder, mark_alone(folder), seconds=0.1)


def words_of_another(folder: Path) -> None:
    """A message of the API holds somebody else's words, and was refused."""
    victim = next(answers(folder))
    other = next(line for line in answers(folder) if line["openid"] != victim["openid"])
    body = {"touser": other["openid"], "text": {"content": victim["text"]}}
    call = {"kind": "request", "call": 99_999, "method": "message/custom/send", "body": body}
    append(folder / BOT, {**call, "mono": victim["mono"]})


WECHAT: dict[Forgery, Promise] = {
    lost_in_a_call: Promise.NO_LOSS,
    only_promised: Promise.NO_LOSS,
    lost_beside_another: Promise.NO_LOSS,
    twice_by_two_ways: Promise.AT_MOST_ONCE,
    twice_in_one_call: Promise.AT_MOST_ONCE,
    marked_for_nothing: Promise.AT_MOST_ONCE,
    marked_for_another: Promise.AT_MOST_ONCE,
    hung_up_on_another: Promise.AT_MOST_ONCE,
    hung_up_at_once: Promise.AT_MOST_ONCE,
    words_of_another: Promise.ISOLATION,
}


def mark_alone(folder: Path) -> Line:
    """The first answer, which says now that it may be there twice."""
    victim = next(answers(folder))
    change(folder / BOT, victim, text=f"{REPEATED[0]} {victim['text']}")
    return victim


def hang_up(folder: Path, victim: Line, seconds: float = 5.0) -> None:
    """WeChat's call with the message that this answers has brought nothing back."""
    (mark, *_) = map(str, marks_in(victim["text"]))
    delivered = next(line for line in lines(folder / DRIVER) if line["mark"] == mark)
    call = {"kind": "delivered", "event": f"text {delivered['update']}", "mono": victim["mono"]}
    append(folder / BOT, {**call, "status": 0, "seconds": seconds})


def _whole(folder: Path) -> Line:
    return next(line for line in lines(folder / WHOLE) if _says(line, "shown"))


def _says(line: Line, kind: str) -> bool:
    return line["kind"] == kind and END in line["text"]


def kill_all(folder: Path) -> None:
    """A kill just when the first answer was under way."""
    first = min(
        line["mono"] for file in (BOT, WHOLE) for line in lines(folder / file) if _shown(line)
    )
    append(folder / EVENTS, {"kind": "killed", "mono": first, "node": "n1", "pid": 1})


def _shown(line: Line) -> bool:
    return line["kind"] in ("shown", "edited") and END in line.get("text", "")


def _two(folder: Path) -> tuple[Line, Line]:
    """Two answers to one person, one after the other."""
    firsts: dict[str, Line] = {}
    for line in answers(folder):
        if line["openid"] in firsts:
            return firsts[line["openid"]], line
        firsts[line["openid"]] = line
    raise AssertionError("the good run has nobody with two answers")


def _again(file: Path, victim: Line, mark: str) -> None:
    twin = {"kind": "shown", "ts": "9.000001", "mono": victim["mono"] + LATER}
    append(file, {**victim, **twin, "text": mark + victim["text"]})
