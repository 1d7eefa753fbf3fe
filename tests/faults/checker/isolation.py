"""I5 and I9: nothing of one conversation in another, and neither words nor secrets in any log."""

from collections.abc import Iterator

from tests.faults.checker.records import Promise, Story, Violation
from tests.faults.marks import Talk, marks_in

SHOWN = 5
"""Lines of a log that are quoted as evidence."""


def isolation(story: Story) -> Iterator[Violation]:
    """Every mark stays in its own conversation: on screens, in requests, with the tools."""
    for talk, screens in story.screens.items():
        for screen in screens:
            for version in screen.versions:
                yield from _foreign(talk, version.text, str(version.line), "was shown in")
    for talk, version in story.drafts:
        yield from _foreign(talk, version.text, str(version.line), "was drafted in")
    for wire in story.wires:
        texts = " ".join(map(str, wire.marks))
        yield from _foreign(wire.talk, texts, str(wire.line), "was sent to the platform for")
    for ask in story.asks:
        texts = " ".join(mark for message in ask.messages for mark in message[1])
        texts = " ".join((texts, *map(str, ask.beside)))
        # Who asks about nothing asks for whoever is named first; more than one is one too many.
        whose = ask.talk or next((mark.talk for mark in marks_in(texts)), None)
        if whose is not None:
            yield from _foreign(whose, texts, str(ask.line), "was in a prompt of")
    for run in story.tools:
        yield from _foreign(run.talk, str(run.mark), str(run.line), "was given to a tool for")


def _foreign(talk: Talk, text: str, line: str, how: str) -> Iterator[Violation]:
    for mark in marks_in(text):
        if mark.talk != talk:
            yield Violation(Promise.ISOLATION, f"{mark} {how} {talk}", (line,))


def no_secrets(story: Story) -> Iterator[Violation]:
    """Nothing that operators read holds a token, a key, or anything that somebody wrote."""
    for name, text in story.node_logs.items():
        for secret in story.about["secrets"]:
            if secret in text:
                yield Violation(
                    Promise.NO_SECRETS,
                    f"{name} holds a secret ({secret[:6]}…)",
                    _quote(name, text, secret),
                )
        marks = marks_in(text)
        if marks:
            what = f"{name} holds words of people: {', '.join(map(str, marks[:SHOWN]))}"
            yield Violation(Promise.NO_SECRETS, what, _quote(name, text, str(marks[0])))


def _quote(name: str, text: str, what: str) -> tuple[str, ...]:
    found = [line for line in text.splitlines() if what in line][:SHOWN]
    return tuple(f"{name}: {line.replace(what, '***')[:300]}" for line in found)
