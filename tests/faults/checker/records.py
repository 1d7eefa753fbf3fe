"""What happened, as the logs tell it. Times are microseconds of the machine's monotonic clock."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tests.faults.marks import Mark, Talk, is_outcome, marks_in

Line = dict[str, Any]
LOOK = 0.5
"""Leases after which a node that was away knows that it was: it renews every third of one."""
BESIDE = (
    *("set", "filled", "limited", "write_protected", "io_failed", "knocked", "copied", "revoked"),
)
"""Of a clock, a disk, strangers, a token: nobody who lives through it may wonder about a send."""
PASSING = ("slow", "lossy")
"""How a line can be bad and still be one. What is done over it can fail and its lease be lost: a
send may be in doubt after them as after a line that is cut."""
LEASES = "node"
"""The table in which leases stand: who locks it lets nobody renew one."""
PEERS = ("model", "a", "b")
"""Who goes wrong by himself: what really did stands in his own log, not in the harness's."""


class Promise(StrEnum):
    """The invariants of the reference, section 5.1, and what makes them provable at all."""

    WHOLE = "logs"
    """Every log is there, and all of it: what is not written down proves nothing."""

    NO_LOSS = "I1"
    AT_MOST_ONCE = "I2"
    ORDER = "I3"
    CONTEXT = "I4"
    ISOLATION = "I5"
    TOOLS = "I6"
    NO_PHANTOM = "I7"
    ACCOUNTING = "I8"
    NO_SECRETS = "I9"
    BOUNDED = "I10"


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that was broken, and the lines of the logs that show it."""

    promise: Promise
    what: str
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """One line of one log."""

    file: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}: {self.text}"


@dataclass(slots=True)
class Message:
    """Something that a person wrote."""

    mark: Mark
    first_at: int
    update: str
    """Its event's own name, by which databases keep it."""
    acknowledged_at: int | None = None
    lines: list[Evidence] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Version:
    """A text that stood on a screen."""

    at: int
    text: str
    line: Evidence


@dataclass(slots=True)
class Screen:
    """One message of the bot, with everything it ever said."""

    talk: Talk
    versions: list[Version]
    deleted_at: int | None = None

    @property
    def text(self) -> str:
        """What stands there at the end."""
        return self.versions[-1].text

    @property
    def marks(self) -> tuple[Mark, ...]:
        """Whom it answers, by its last text."""
        return marks_in(self.text)

    @property
    def whole(self) -> Version | None:
        """The first version that was a whole answer, or a part with a sentence that says so."""
        return next((one for one in self.versions if is_outcome(one.text)), None)

    @property
    def evidence(self) -> tuple[str, ...]:
        """The lines that tell of it."""
        return tuple(str(one.line) for one in self.versions)


@dataclass(slots=True)
class Ask:
    """One request to the model."""

    call: int
    at: int
    node: str
    block: tuple[Mark, ...]
    round: int
    messages: list[Any]
    digest: str
    line: Evidence
    beside: tuple[Mark, ...] = ()
    """Marks anywhere in the request but in what was said: instructions, arguments, names."""
    called: tuple[tuple[str, str], ...] = ()
    """The calls of this turn whose results the request holds, and their marks."""
    ended_at: int | None = None
    status: int | None = None
    fault: str | None = None
    usage: Line | None = None
    finish: str | None = None

    @property
    def talk(self) -> Talk | None:
        """Whose turn asked."""
        return self.block[0].talk if self.block else None

    @property
    def completed(self) -> bool:
        """Whether the provider said everything, and counts it."""
        return self.status == 200 and self.usage is not None


@dataclass(slots=True)
class ToolRun:
    """One run of a tool, from the tool's own ledger."""

    tool: str
    key: str
    mark: Mark
    talk: Talk
    node: str
    pid: int
    at: int
    line: Evidence
    ended_at: int | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that the harness did; `until` is later than `at` where it went on for a while."""

    kind: str
    at: int
    node: str
    line: Evidence
    until: int
    mark: Mark | None = None
    """The message that was written to cause it, where there is one."""
    how: str = ""
    """In which way a line was broken."""
    harmless: bool = False
    """Whether it can have cost nobody anything but whom it was for: a function that only fails."""


@dataclass(frozen=True, slots=True)
class Strike:
    """A call to a stand-in that really went wrong, by the stand-in's own log."""

    at: int
    peer: str
    talk: Talk | None
    line: Evidence
    how: str = ""
    """The fault's own name."""


@dataclass(frozen=True, slots=True)
class Wire:
    """What a node asked a platform to do, shown or not."""

    talk: Talk
    marks: tuple[Mark, ...]
    line: Evidence


@dataclass(frozen=True, slots=True)
class Sample:
    """How much a process held at one moment."""

    at: int
    node: str
    pid: int
    phase: str
    held: dict[str, float]
    line: Evidence


@dataclass(frozen=True, slots=True)
class Copy:
    """What a copy of the database's files held, opened as after a power cut at that instant."""

    at: int
    integrity: str
    held: frozenset[str]
    line: Evidence


@dataclass(slots=True)
class Story:
    """A whole run."""

    about: Line
    messages: dict[Mark, Message] = field(default_factory=dict)
    refusals: list[tuple[int, Evidence]] = field(default_factory=list)
    """How deliveries ended that were not taken, by the status; 0: without an answer."""
    screens: dict[Talk, list[Screen]] = field(default_factory=dict)
    drafts: list[tuple[Talk, Version]] = field(default_factory=list)
    asks: list[Ask] = field(default_factory=list)
    tools: list[ToolRun] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    strikes: list[Strike] = field(default_factory=list)
    hung_up: list[Strike] = field(default_factory=list)
    """Deliveries that a platform gave up: what a server puts into one then, it may wonder about."""
    shut: list[tuple[int, int]] = field(default_factory=list)
    """When the way to the model was shut, for whichever node."""
    wires: list[Wire] = field(default_factory=list)
    broken: list[Violation] = field(default_factory=list)
    """What makes the logs themselves worth nothing."""
    samples: list[Sample] = field(default_factory=list)
    copies: list[Copy] = field(default_factory=list)
    usage: dict[Talk, Line] = field(default_factory=dict)
    dead: dict[Mark, str] = field(default_factory=dict)
    """Answers that were given up, and why: an operator finds them."""
    node_logs: dict[str, str] = field(default_factory=dict)
    """Everything that is for operators: each server's log, its metrics, dead letters' reasons."""
    ended_at: int = 0

    def talks(self) -> list[Talk]:
        """Every conversation that was written in or to."""
        return sorted({mark.talk for mark in self.messages} | set(self.screens))

    def absences(self, node: str) -> list[tuple[int, int]]:
        """When a node could not know what went on: frozen, cut off, and until it next looks."""
        looks = round(self.about["lease"] * 1_000_000 * LOOK)
        found: list[tuple[int, int]] = []
        since: int | None = None
        for event in self.events:
            if event.node != node:
                continue
            if event.kind in ("frozen", "cut_off") and since is None:
                since = event.at
            elif event.kind in ("thawed", "joined") and since is not None:
                found.append((since, event.at + looks))
                since = None
        if since is not None:
            found.append((since, self.ended_at))
        return found

    def severed(self) -> list[tuple[str, int, int]]:
        """Which node's line to the database let nothing through or nothing back, from when to when.

        A slow line is none, nor is one that loses a part: leases may be renewed over both.
        """
        found: list[tuple[str, int, int]] = []
        since: dict[str, int] = {}
        for event in self.events:
            if event.kind == "cut_off" and event.how not in PASSING:
                since.setdefault(event.node, event.at)
            elif event.kind == "joined" and event.node in since:
                found.append((event.node, since.pop(event.node), event.at))
            elif event.kind == "locked" and event.how == LEASES:
                nodes = sorted({ask.node for ask in self.asks})
                found += [(node, event.at, event.until) for node in nodes]
        return found

    def deaths(self, node: str) -> list[int]:
        """When processes of this node were killed or ended."""
        kinds = ("killed", "gone", "ended")
        return [one.at for one in self.events if one.node == node and one.kind in kinds]

    @property
    def over_at(self) -> int:
        """When the harness was done with making trouble and began to stop everything."""
        ends = [event.at for event in self.events if event.kind == "over"]
        return ends[0] if ends else self.ended_at

    def troubles(self) -> list[Event]:
        """What became of servers, databases and lines: a send may be left ambiguous."""
        harmless = ("started", "ready", "gone", "note", "over", "finished", "rested", *BESIDE)
        over_at = self.over_at
        return [
            event
            for event in self.events
            if not event.harmless and event.kind not in harmless
            if event.node not in PEERS and event.at <= over_at
        ]
