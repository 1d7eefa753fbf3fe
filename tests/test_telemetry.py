"""What the engine reports becomes numbers for a graph and lines for a person."""

import asyncio
import io
import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from bot.domain.conversation import ConversationId, TurnId
from bot.domain.operating import StoreHealth
from bot.logs import Level, Logs
from bot.metrics import MOST_CHILDREN, Metrics
from bot.ports import Health, Observer
from bot.telemetry import Telemetry
from tests.fakes import FakeClock

TURN, CONVERSATION = TurnId(7), ConversationId(3)


class Enough(Exception):
    """A clock has no more to tell."""


class LateClock(FakeClock):
    """Each sleep takes longer than asked by the next of these."""

    def __init__(self, lags: list[float]) -> None:
        super().__init__()
        self._lags = iter(lags)

    async def sleep(self, seconds: float) -> None:
        for lag in self._lags:
            self.advance(seconds + lag)
            return
        raise Enough


class Desk:
    """A telemetry with what an operator looks at."""

    def __init__(self, clock: FakeClock | None = None, *, level: Level = "debug") -> None:
        self.clock = clock or FakeClock()
        self.stream = io.StringIO()
        self.metrics = Metrics(version="1.2.3", node="one:8080")
        logs = Logs(format="json", level=level, clock=self.clock, stream=self.stream)
        self.telemetry = Telemetry(log=logs.logger, metrics=self.metrics, clock=self.clock)
        self.observer: Observer = self.telemetry

    def value(self, name: str, **labels: str) -> float:
        """The value of one series on the page; 0 where there is none."""
        for line in self.metrics.text().decode().splitlines():
            found = re.fullmatch(r"parley_(\w+)(?:\{(.*)\})? (\S+)", line)
            if found is None or found[1] != name:
                continue
            shown = dict(re.findall(r'(\w+)="([^"]*)"', found[2] or ""))
            if labels.items() <= shown.items():
                return float(found[3])
        return 0.0

    def lines(self) -> list[Mapping[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]

    def events(self) -> list[str]:
        return [line["event"] for line in self.lines()]

    def one_message(self, turn: TurnId = TURN) -> None:
        """What the engine reports for a message, its answer and its send."""
        see = self.observer
        see.accepted(adapter="telegram", kind="message", new=True)
        see.turn_started(turn=turn, conversation=CONVERSATION, attempt=1)
        see.model_called(
            turn=turn, rung="main", outcome="ok", seconds=0.9, first=0.2, input=300, output=40
        )
        see.tool_ended(turn=turn, tool="now", outcome="ok", seconds=0.003, audience="customers")
        see.turn_ended(
            turn=turn,
            conversation=CONVERSATION,
            adapter="telegram",
            audience="customers",
            state="answered",
            seconds=1.2345,
            waited=0.01,
        )
        see.sent(adapter="telegram", turn=turn, piece=0, seconds=0.04)


def test_a_message_is_counted_at_every_station() -> None:
    desk = Desk()
    desk.one_message()
    telegram = {"adapter": "telegram"}
    assert desk.value("accepted_total", kind="message", **telegram) == 1
    assert desk.value("turns_total", state="answered", audience="customers", **telegram) == 1
    assert desk.value("turn_seconds_sum", **telegram) == 1.2345
    assert desk.value("waited_seconds_count", **telegram) == 1
    assert desk.value("model_calls_total", rung="main", outcome="ok") == 1
    assert desk.value("model_call_seconds_sum", rung="main") == 0.9
    assert desk.value("model_first_token_seconds_sum", rung="main") == 0.2
    assert desk.value("model_tokens_total", rung="main", direction="input") == 300
    assert desk.value("model_tokens_total", rung="main", direction="output") == 40
    assert desk.value("tool_calls_total", tool="now", outcome="ok") == 1
    assert desk.value("tool_seconds_count", tool="now") == 1
    assert desk.value("sends_total", outcome="sent", **telegram) == 1
    assert desk.value("send_seconds_count", **telegram) == 1


def test_a_turn_is_one_line_at_info() -> None:
    desk = Desk(level="info")
    desk.one_message()
    (line,) = desk.lines()
    assert line["event"] == "turn.answered"
    assert (line["turn"], line["conversation"], line["seconds"]) == (7, 3, 1.234)


def test_a_repeat_is_counted_apart() -> None:
    desk = Desk()
    desk.observer.accepted(adapter="telegram", kind="message", new=False)
    assert desk.value("accepted_total", adapter="telegram") == 0
    assert desk.value("repeats_total", adapter="telegram") == 1


def test_what_is_turned_away_is_counted_by_reason() -> None:
    desk = Desk()
    desk.observer.discarded(adapter="slack", why="echo")
    desk.observer.rejected(adapter="slack", why="signature")
    assert desk.value("discarded_total", adapter="slack", why="echo") == 1
    assert desk.value("rejected_total", adapter="slack", why="signature") == 1


def test_a_flood_of_bad_requests_is_one_line_a_minute() -> None:
    desk = Desk(level="info")
    for _ in range(100):
        desk.observer.rejected(adapter="slack", why="signature")
    desk.clock.advance(61)
    desk.observer.rejected(adapter="slack", why="signature")
    assert desk.events() == ["request.rejected"] * 2
    assert desk.value("rejected_total", adapter="slack", why="signature") == 101


def test_sends_that_may_have_arrived_have_a_counter_of_their_own() -> None:
    desk = Desk(level="info")
    for outcome in ("transient", "held", "ambiguous", "repeated", "dead", "expired"):
        desk.observer.send_failed(
            adapter="web", turn=TURN, piece=0, outcome=outcome, reason="timeout"
        )
        assert desk.value("sends_total", adapter="web", outcome=outcome) == 1
    assert desk.value("ambiguous_sends_total", adapter="web") == 2
    assert desk.events() == ["send.ambiguous", "send.dead", "send.expired"]


def test_the_rest_is_counted_too() -> None:
    desk = Desk()
    see = desk.observer
    see.turn_started(turn=TURN, conversation=CONVERSATION, attempt=2)
    see.draft_failed(adapter="web", turn=TURN, reason="no more")
    see.session_ended(conversation=CONVERSATION, by="idle")
    see.late_result(tool="now")
    see.upkeep(job="retention", rows=12)
    assert desk.value("turns_resumed_total") == 1
    assert desk.value("draft_failures_total", adapter="web", reason="no more") == 1
    assert desk.value("sessions_ended_total", by="idle") == 1
    assert desk.value("tool_late_results_total", tool="now") == 1
    assert desk.value("upkeep_rows_total", job="retention") == 12


def test_what_an_operator_has_to_look_into_is_a_line_above_the_others() -> None:
    desk = Desk(level="warning")
    see = desk.observer
    see.tool_ended(turn=TURN, tool="pay", outcome="ok", seconds=0.1, audience="")
    see.tool_ended(turn=TURN, tool="pay", outcome="unknown", seconds=0.1, audience="")
    see.gave_up(turn=TURN, conversation=CONVERSATION, adapter="slack", messages=2)
    unknown, poison = map(json.loads, desk.stream.getvalue().splitlines())
    assert (unknown["event"], unknown["level"]) == ("tool.unknown", "warning")
    assert (unknown["turn"], unknown["tool"]) == (7, "pay")
    assert (poison["event"], poison["level"]) == ("message.poison", "error")
    assert desk.value("poison_total", adapter="slack") == 2
    assert desk.value("tool_calls_total", tool="pay", outcome="unknown") == 1


def test_a_model_that_gave_no_answer_is_counted_and_a_line_says_why() -> None:
    desk = Desk(level="warning")
    why = {"rung": "main", "outcome": "permanent", "reason": "HTTP 404 model_not_found"}
    desk.observer.model_failed(turn=TURN, **why)
    (line,) = desk.lines()
    assert (line["event"], line["level"], line["turn"]) == ("model.failed", "warning", 7)
    assert {key: line[key] for key in why} == why
    assert desk.value("model_failures_total", rung="main", outcome="permanent") == 1


def test_a_provider_that_counts_backwards_does_no_harm() -> None:
    desk = Desk()
    desk.observer.model_called(
        turn=TURN, rung="main", outcome="ok", seconds=1, first=None, input=-5, output=2
    )
    assert desk.value("model_tokens_total", rung="main", direction="input") == 0
    assert desk.value("model_tokens_total", rung="main", direction="output") == 2
    assert desk.value("model_first_token_seconds_count", rung="main") == 0


def test_an_adapter_that_goes_deaf_is_told_once_and_shown_all_the_time() -> None:
    desk = Desk(level="info")
    for alive in (True, True, False, False, True):
        desk.observer.listening(adapter="telegram", alive=alive)
    assert desk.events() == ["adapter.listening", "adapter.deaf", "adapter.listening"]
    assert desk.value("listening", adapter="telegram") == 1
    assert desk.telemetry.listeners == {"telegram": True}


def test_an_unexpected_error_is_logged_once_without_its_text() -> None:
    desk = Desk()
    try:
        int("canary")
    except ValueError as error:
        desk.observer.failed(place="lane", error=error)
    (line,) = desk.lines()
    assert (line["event"], line["place"], line["error"]) == ("failed", "lane", "ValueError")
    assert line["trace"][0].startswith("tests/test_telemetry.py:")
    assert "canary" not in desk.stream.getvalue()
    assert desk.value("failures_total", place="lane") == 1


async def test_what_nobody_awaited_is_reported_by_the_loop() -> None:
    desk = Desk()
    loop = asyncio.get_running_loop()
    desk.telemetry.unhandled(loop, {"message": "canary", "exception": ValueError("canary")})
    desk.telemetry.unhandled(loop, {"message": "canary"})
    assert desk.events() == ["failed", "loop.complained"]
    assert "canary" not in desk.stream.getvalue()


def test_store_and_probes_are_shown_as_they_were_last_seen() -> None:
    desk = Desk()
    seen = [desk.telemetry.store_health]
    outbox = (("queued", 2), ("dead", 1))
    health = StoreHealth(waiting=3, outbox=outbox, dead=4, size_bytes=8192, unsure=5)
    desk.telemetry.observe_store(health)
    desk.telemetry.observe_probes([Health("main", ok=True), Health("telegram", ok=False)])
    seen.append(desk.telemetry.store_health)
    assert seen == [None, health]
    assert desk.value("outbox", state="queued") == 2
    assert desk.value("inbox_waiting") == 3
    assert desk.value("inbox_dead") == 4
    assert desk.value("unsure_calls") == 5
    assert desk.value("database_bytes") == 8192
    assert desk.value("probe_ok", probe="main") == 1
    desk.telemetry.observe_store(StoreHealth())
    assert desk.value("outbox", state="queued") == 0


async def test_a_late_loop_shows_how_late_and_forgets_it_after_two_minutes() -> None:
    desk = Desk(LateClock([0.3, 0.1]))
    with pytest.raises(Enough):
        await desk.telemetry.watch_loop()
    assert round(desk.value("loop_lag_max_seconds"), 3) == 0.3
    assert desk.value("loop_lag_seconds_count") == 2
    assert desk.value("tasks") >= 1
    desk = Desk(LateClock([0.3, *[0.0] * 260]))
    with pytest.raises(Enough):
        await desk.telemetry.watch_loop()
    assert desk.value("loop_lag_max_seconds") < 0.001


def test_the_page_says_what_is_running_and_how_the_process_does() -> None:
    desk = Desk()
    assert desk.value("build_info", version="1.2.3", node="one:8080") == 1
    page = desk.metrics.text().decode()
    assert "process_resident_memory_bytes" in page
    assert "_created" not in page


def test_two_servers_in_one_process_count_for_themselves() -> None:
    one, other = Desk(), Desk()
    one.one_message()
    assert other.value("turns_total", state="answered") == 0


def test_made_up_names_cannot_fill_the_memory() -> None:
    desk = Desk(level="info")
    for n in range(MOST_CHILDREN + 50):
        desk.observer.late_result(tool=f"tool{n}")
    assert desk.value("tool_late_results_total", tool="other") == 50


def test_a_stop_is_a_line_when_it_begins_and_one_that_says_what_was_left() -> None:
    desk = Desk(level="info")
    desk.telemetry.draining(running=3)
    desk.telemetry.drained(left=0)
    desk.telemetry.drained(left=2)
    assert desk.events() == ["drain.began", "drain.ended", "drain.left"]
    began, _, left = desk.lines()
    assert (began["running"], left["lanes"]) == (3, 2)
    assert {line["level"] for line in desk.lines()} == {"info"}
