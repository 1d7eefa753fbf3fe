"""Everything that is counted, by name: what `/metrics` shows."""

import platform
from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    Metric,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.metrics import MetricWrapperBase

from bot.domain.operating import StoreHealth
from bot.domain.records import OutboxState

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
MOST_CHILDREN = 500
"""Names come from the configuration; were one ever made up by a stranger, it ends here."""

_TURN = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120)
_WAITING = (0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30, 120, 600, 3600)
_MODEL = (0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120)
_TOOL = (0.001, 0.01, 0.1, 0.5, 1, 5, 10, 30)
_SEND = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_LAG = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)

_M = TypeVar("_M", bound=MetricWrapperBase)


class Family(Generic[_M]):
    """A metric with labels; each child is looked up once and kept."""

    __slots__ = ("_children", "_metric")

    def __init__(self, metric: _M) -> None:
        self._metric = metric
        self._children: dict[tuple[str, ...], _M] = {}

    def at(self, *labels: str) -> _M:
        """The child with these label values."""
        child = self._children.get(labels)
        return child if child is not None else self._new(labels)

    def _new(self, labels: tuple[str, ...]) -> _M:
        if len(self._children) >= MOST_CHILDREN:
            labels = ("other",) * len(labels)
        child = self._children[labels] = self._metric.labels(*labels) if labels else self._metric
        return child


class _Lean(CollectorRegistry):
    """Another registry without the time of birth of every series, which nobody reads."""

    def __init__(self, whole: CollectorRegistry) -> None:
        super().__init__()
        self._whole = whole

    def collect(self) -> Iterator[Metric]:
        for metric in self._whole.collect():
            metric.samples = [s for s in metric.samples if not s.name.endswith("_created")]
            yield metric


class Metrics:
    """The metrics of one server, in a registry of its own."""

    def __init__(self, *, version: str, node: str) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        self._build(version, node)
        self._of_messages()
        self._of_turns()
        self._of_sends()
        self._of_the_house()

    def text(self) -> bytes:
        """All of them, as Prometheus reads them."""
        return generate_latest(_Lean(self._registry))

    def observe_store(self, health: StoreHealth) -> None:
        """Take over what the store counts."""
        found = dict(health.outbox)
        for state in OutboxState:
            if state is not OutboxState.SENT:
                self.outbox.at(state.value).set(found.get(state.value, 0))
        self.waiting.set(health.waiting)
        self.dead.set(health.dead)
        self.unsure.set(health.unsure)
        self.database_bytes.set(health.size_bytes)

    def _build(self, version: str, node: str) -> None:
        names = ("version", "python", "node")
        info = self._gauge("build_info", "What is running; always 1.", *names)
        info.at(version, platform.python_version(), node).set(1)

    def _of_messages(self) -> None:
        self.accepted = self._counter(
            "accepted_total", "Messages stored, each once.", "adapter", "kind"
        )
        self.repeats = self._counter(
            "repeats_total", "Messages delivered again, and dropped.", "adapter"
        )
        self.discarded = self._counter(
            "discarded_total", "Events acknowledged and not stored.", "adapter", "why"
        )
        self.rejected = self._counter(
            "rejected_total", "Requests answered with 4xx.", "adapter", "why"
        )
        self.listening = self._gauge(
            "listening", "1 while an adapter hears its platform.", "adapter"
        )
        self.sessions_ended = self._counter("sessions_ended_total", "Sessions ended.", "by")

    def _of_turns(self) -> None:
        self.turns = self._counter("turns_total", "Turns ended.", "adapter", "audience", "state")
        self.resumed = self._counter("turns_resumed_total", "Turns run again.").at()
        self.poison = self._counter(
            "poison_total", "Messages given up after three crashes.", "adapter"
        )
        self.turn_seconds = self._histogram(
            "turn_seconds", "From the start of a turn to its end.", _TURN, "adapter"
        )
        self.waited_seconds = self._histogram(
            "waited_seconds", "From a message to the start of its turn.", _WAITING, "adapter"
        )
        self.model_calls = self._counter("model_calls_total", "Model calls.", "rung", "outcome")
        self.model_failures = self._counter(
            "model_failures_total", "Model calls that brought nothing.", "rung", "outcome"
        )
        self.model_seconds = self._histogram(
            "model_call_seconds", "A whole model call.", _MODEL, "rung"
        )
        self.first_token_seconds = self._histogram(
            "model_first_token_seconds", "Until a model says something.", _MODEL, "rung"
        )
        self.tokens = self._counter("model_tokens_total", "Tokens.", "rung", "direction")
        self.tool_calls = self._counter(
            "tool_calls_total", "Tool calls.", "tool", "outcome", "audience"
        )
        self.tool_seconds = self._histogram("tool_seconds", "A tool call.", _TOOL, "tool")
        self.late_results = self._counter(
            "tool_late_results_total", "Results of tools that were given up.", "tool"
        )

    def _of_sends(self) -> None:
        self.sends = self._counter("sends_total", "Tries to send.", "adapter", "outcome")
        self.send_seconds = self._histogram(
            "send_seconds", "A send that arrived.", _SEND, "adapter"
        )
        self.ambiguous = self._counter(
            "ambiguous_sends_total", "Sends that nobody knows the end of.", "adapter"
        )
        self.draft_failures = self._counter(
            "draft_failures_total", "Drafts that could not be shown.", "adapter", "reason"
        )

    def _of_the_house(self) -> None:
        self.failures = self._counter(
            "failures_total", "Unexpected errors where foreign code is called.", "place"
        )
        self.upkeep = self._counter("upkeep_rows_total", "Rows changed by a job.", "job")
        self.probe = self._gauge("probe_ok", "1 while a probe finds its thing well.", "probe")
        self.lag_seconds = self._histogram(
            "loop_lag_seconds", "How late the event loop wakes up.", _LAG
        ).at()
        self.lag_max = self._gauge(
            "loop_lag_max_seconds", "The worst of it in the last minute or two."
        ).at()
        self.tasks = self._gauge("tasks", "What runs or waits on the event loop.").at()
        self.outbox = self._gauge("outbox", "Pieces of answers, by state.", "state")
        self.waiting = self._gauge("inbox_waiting", "Accepted messages not done yet.").at()
        self.dead = self._gauge("inbox_dead", "Accepted messages that were given up.").at()
        self.unsure = self._gauge(
            "unsure_calls", "Tool calls of the last seven days that nobody knows the end of."
        ).at()
        self.database_bytes = self._gauge("database_bytes", "Size of the database.").at()

    def _counter(self, name: str, text: str, *labels: str) -> Family[Counter]:
        return Family(Counter(f"parley_{name}", text, labels, registry=self._registry))

    def _gauge(self, name: str, text: str, *labels: str) -> Family[Gauge]:
        return Family(Gauge(f"parley_{name}", text, labels, registry=self._registry))

    def _histogram(
        self, name: str, text: str, buckets: Sequence[float], *labels: str
    ) -> Family[Histogram]:
        metric = Histogram(
            f"parley_{name}", text, labels, registry=self._registry, buckets=tuple(buckets)
        )
        return Family(metric)
