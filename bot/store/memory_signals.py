"""Signals between nodes, in memory."""

from collections.abc import Collection, Sequence
from datetime import timedelta

from bot.domain.address import shard_of
from bot.domain.conversation import ConversationId
from bot.domain.records import NewSignal, Signal, SignalKind
from bot.store.memory_rows import MemoryRoom, SignalLine
from bot.store.names import WHERE_WATCHED


class MemorySignals(MemoryRoom):
    async def put_signals(self, signals: Sequence[NewSignal]) -> None:
        for new in signals:
            where = self._find(new.tenant, new.address) or ConversationId(0)
            if new.kind is SignalKind.TEXT and where:
                self._rows.signals = [
                    line
                    for line in self._rows.signals
                    if (line.signal.conversation, line.signal.kind) != (where, new.kind)
                ]
            signal = Signal(next(self._rows.signal_ids), where, new.kind, new.tenant, new.body)
            shard = shard_of(new.tenant, new.address)
            self._rows.signals.append(SignalLine(self._now(), shard, signal))

    async def signals(
        self,
        after: int,
        *,
        shards: Collection[int] = (),
        known: Collection[int] = (),
        limit: int = 100,
    ) -> Sequence[Signal]:
        return [
            line.signal
            for line in self._rows.signals
            if line.signal.id > after
            and line.signal.id not in known
            and (line.signal.kind not in WHERE_WATCHED or line.shard in shards)
        ][:limit]

    async def signals_before(self, age: timedelta) -> int:
        before = self._now() - age
        old = (line.signal.id for line in self._rows.signals if line.created_at <= before)
        return max(old, default=0)

    async def drop_signals(self, age: timedelta) -> int:
        before, count = self._now() - age, len(self._rows.signals)
        self._rows.signals = [line for line in self._rows.signals if line.created_at > before]
        return count - len(self._rows.signals)
