"""What the operator sees of the engine: metrics, and log lines that are events with fields."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from structlog.typing import FilteringBoundLogger

from bot.domain.conversation import ConversationId, TurnId, TurnState
from bot.domain.operating import StoreHealth
from bot.metrics import Metrics
from bot.ports import Clock, Health

LAG_EVERY = 0.5
"""Seconds between two looks at how late the event loop is."""
LAG_WINDOW = 60.0
AGAIN_AFTER = 60.0
"""A stranger's bad request is worth one line a minute; all of them are counted."""

# Made once: a line is written for every turn.
_TURN_EVENTS = {state.value: f"turn.{state.value}" for state in TurnState}
_SEND_EVENTS = {
    outcome: f"send.{outcome}"
    for outcome in ("transient", "held", "ambiguous", "repeated", "dead", "expired")
}
_UNCERTAIN = frozenset({"ambiguous", "repeated"})
_LOST = frozenset({"ambiguous", "dead", "expired"})


class Telemetry:
    """The observer of a running server."""

    def __init__(self, *, log: FilteringBoundLogger, metrics: Metrics, clock: Clock) -> None:
        self._log = log
        self._metrics = metrics
        self._clock = clock
        self._alive: dict[str, bool] = {}
        self._said_at: dict[tuple[str, str], float] = {}
        self._store: StoreHealth | None = None
        self._worst = (0.0, 0.0)
        self._window_began = clock.monotonic()

    # ---- messages ------------------------------------------------------------------------

    def accepted(self, *, adapter: str, kind: str, new: bool) -> None:
        if new:
            self._metrics.accepted.at(adapter, kind).inc()
        else:
            self._metrics.repeats.at(adapter).inc()
        self._log.debug("message.accepted", adapter=adapter, kind=kind, new=new)

    def discarded(self, *, adapter: str, why: str) -> None:
        self._metrics.discarded.at(adapter, why).inc()
        self._log.debug("message.discarded", adapter=adapter, why=why)

    def rejected(self, *, adapter: str, why: str) -> None:
        self._metrics.rejected.at(adapter, why).inc()
        if self._is_news(adapter, why):
            self._log.warning("request.rejected", adapter=adapter, why=why)

    # ---- turns ---------------------------------------------------------------------------

    def turn_started(self, *, turn: TurnId, conversation: ConversationId, attempt: int) -> None:
        if attempt > 1:
            self._metrics.resumed.inc()
            self._log.warning("turn.resumed", turn=turn, conversation=conversation, attempt=attempt)
        else:
            self._log.debug("turn.started", turn=turn, conversation=conversation)

    def turn_ended(
        self,
        *,
        turn: TurnId,
        conversation: ConversationId,
        adapter: str,
        audience: str,
        state: str,
        seconds: float,
        waited: float,
    ) -> None:
        metrics = self._metrics
        metrics.turns.at(adapter, audience, state).inc()
        metrics.turn_seconds.at(adapter).observe(seconds)
        metrics.waited_seconds.at(adapter).observe(waited)
        log = self._log.warning if state == TurnState.FAILED.value else self._log.info
        log(
            _TURN_EVENTS.get(state, "turn.ended"),
            turn=turn,
            conversation=conversation,
            adapter=adapter,
            audience=audience,
            seconds=round(seconds, 3),
            waited=round(waited, 3),
        )

    def gave_up(
        self, *, turn: TurnId, conversation: ConversationId, adapter: str, messages: int
    ) -> None:
        self._metrics.poison.at(adapter).inc(messages)
        self._log.error(
            "message.poison",
            turn=turn,
            conversation=conversation,
            adapter=adapter,
            messages=messages,
            hint="parley inbox list",
        )

    def model_called(
        self,
        *,
        turn: TurnId,
        rung: str,
        outcome: str,
        seconds: float,
        first: float | None,
        input: int,
        output: int,
    ) -> None:
        metrics = self._metrics
        metrics.model_calls.at(rung, outcome).inc()
        metrics.model_seconds.at(rung).observe(seconds)
        if first is not None:
            metrics.first_token_seconds.at(rung).observe(first)
        # Counted by somebody else's service, which is not to be trusted with our counters.
        metrics.tokens.at(rung, "input").inc(max(input, 0))
        metrics.tokens.at(rung, "output").inc(max(output, 0))
        self._log.debug(
            "model.called",
            turn=turn,
            rung=rung,
            outcome=outcome,
            seconds=seconds,
            first=first,
            input=input,
            output=output,
        )

    def model_failed(self, *, turn: TurnId, rung: str, outcome: str, reason: str) -> None:
        self._metrics.model_failures.at(rung, outcome).inc()
        self._log.warning("model.failed", turn=turn, rung=rung, outcome=outcome, reason=reason)

    def tool_ended(
        self, *, turn: TurnId, tool: str, outcome: str, seconds: float, audience: str
    ) -> None:
        self._metrics.tool_calls.at(tool, outcome, audience).inc()
        self._metrics.tool_seconds.at(tool).observe(seconds)
        unknown = outcome == "unknown"
        log, event = (
            (self._log.warning, "tool.unknown") if unknown else (self._log.debug, "tool.ended")
        )
        log(event, turn=turn, tool=tool, outcome=outcome, seconds=seconds, audience=audience)

    def late_result(self, *, tool: str) -> None:
        self._metrics.late_results.at(tool).inc()
        self._log.debug("tool.late", tool=tool)

    def session_ended(self, *, conversation: ConversationId, by: str) -> None:
        self._metrics.sessions_ended.at(by).inc()
        self._log.debug("session.ended", conversation=conversation, by=by)

    # ---- sending -------------------------------------------------------------------------

    def sent(self, *, adapter: str, turn: TurnId, piece: int, seconds: float) -> None:
        self._metrics.sends.at(adapter, "sent").inc()
        self._metrics.send_seconds.at(adapter).observe(seconds)
        self._log.debug("piece.sent", adapter=adapter, turn=turn, piece=piece, seconds=seconds)

    def send_failed(
        self, *, adapter: str, turn: TurnId, piece: int, outcome: str, reason: str
    ) -> None:
        self._metrics.sends.at(adapter, outcome).inc()
        if outcome in _UNCERTAIN:
            self._metrics.ambiguous.at(adapter).inc()
        log = self._log.warning if outcome in _LOST else self._log.debug
        event = _SEND_EVENTS.get(outcome, "send.failed")
        log(event, adapter=adapter, turn=turn, piece=piece, reason=reason)

    def draft_failed(self, *, adapter: str, turn: TurnId, reason: str) -> None:
        self._metrics.draft_failures.at(adapter, reason).inc()
        self._log.debug("draft.failed", adapter=adapter, turn=turn, reason=reason)

    # ---- the house -----------------------------------------------------------------------

    def listening(self, *, adapter: str, alive: bool) -> None:
        self._metrics.listening.at(adapter).set(alive)
        if self._alive.get(adapter) is alive:
            return
        self._alive[adapter] = alive
        log, event = (
            (self._log.info, "adapter.listening") if alive else (self._log.warning, "adapter.deaf")
        )
        log(event, adapter=adapter)

    def failed(self, *, place: str, error: BaseException) -> None:
        self._metrics.failures.at(place).inc()
        self._log.error("failed", place=place, exc_info=error)

    def upkeep(self, *, job: str, rows: int) -> None:
        self._metrics.upkeep.at(job).inc(rows)
        self._log.debug("upkeep", job=job, rows=rows)

    def draining(self, *, running: int) -> None:
        """The stop has begun: so many lanes may come to their end."""
        self._log.info("drain.began", running=running)

    def drained(self, *, left: int) -> None:
        """The stop is over; what is left goes on under the next start, or on another node."""
        if left:
            self._log.info("drain.left", lanes=left)
        else:
            self._log.info("drain.ended")

    def unhandled(self, loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        """An event loop's exception handler: what nobody awaited is reported like the rest."""
        error = context.get("exception")
        if isinstance(error, BaseException):
            self.failed(place="loop", error=error)
        else:
            self._log.warning("loop.complained")

    def observe_store(self, health: StoreHealth) -> None:
        """Take over what the store counts."""
        self._store = health
        self._metrics.observe_store(health)

    def observe_probes(self, found: Iterable[Health]) -> None:
        """Take over what the probes found."""
        for health in found:
            self._metrics.probe.at(health.name).set(health.ok)

    @property
    def store_health(self) -> StoreHealth | None:
        """What the store counted when it was last asked."""
        return self._store

    @property
    def listeners(self) -> Mapping[str, bool]:
        """Which adapters hear their platform."""
        return self._alive

    # ---- the event loop ------------------------------------------------------------------

    async def watch_loop(self) -> None:
        """Measure, until cancelled, how late the event loop wakes those who wait."""
        while True:
            before = self._clock.monotonic()
            await self._clock.sleep(LAG_EVERY)
            after = self._clock.monotonic()
            self._lagged(max(after - before - LAG_EVERY, 0.0), after)
            self._metrics.tasks.set(len(asyncio.all_tasks()))

    def _lagged(self, lag: float, now: float) -> None:
        self._metrics.lag_seconds.observe(lag)
        before, current = self._worst
        if now - self._window_began >= LAG_WINDOW:
            self._window_began = now
            before, current = current, 0.0
        self._worst = before, max(current, lag)
        self._metrics.lag_max.set(max(self._worst))

    def _is_news(self, adapter: str, why: str) -> bool:
        now = self._clock.monotonic()
        last = self._said_at.get((adapter, why))
        if last is not None and now - last < AGAIN_AFTER:
            return False
        self._said_at[adapter, why] = now
        return True
