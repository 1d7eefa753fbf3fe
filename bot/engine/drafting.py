"""The growing answer on the person's screen: always the newest text, at the platform's pace."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import datetime

from bot.domain.address import Address
from bot.domain.conversation import TurnId
from bot.domain.message import Sent
from bot.engine.closing import close_draft, leave_draft
from bot.engine.looking import CannotTellError, look
from bot.errors import Ambiguous, Fenced, Held, Permanent, Transient
from bot.ports import Activity, Clock, Draft, Drafts, Finds, Observer
from bot.recent import Recent

OPENING = 20.0
"""Seconds for the first sight of a draft: the end of its turn waits for one that is on its way."""


class Drafting:
    """Shows one turn's text while it grows.

    A draft is decoration, so nothing here can fail a turn; where it stands is not: `record`
    writes it down before the first text shows. `gate` opens when the last piece of the turn
    before has left: no draft overtakes it. `sure` is False once another node may have the turn:
    a stale text would stand in the place of its answer. `lost_since` is set where an earlier run,
    begun then, may have opened a draft that was not written down. `unrecorded` is what runs of this
    very process know of such drafts: one comes back here when the database was away for too long.
    """

    def __init__(
        self,
        *,
        platform: Drafts,
        name: str,
        address: Address,
        turn: TurnId,
        reply_to: str | None,
        resume: Sent | None,
        lost_since: datetime | None = None,
        gate: Callable[[], Awaitable[None]],
        sure: Callable[[], bool] = lambda: True,
        record: Callable[[Sent], Awaitable[None]],
        unrecorded: Recent[TurnId, Sent],
        clock: Clock,
        observer: Observer,
    ) -> None:
        self._platform = platform
        self._name = name
        self._address = address
        self._turn = turn
        self._reply_to = reply_to
        self._resume = resume
        self._lost_since = lost_since
        self._gate = gate
        self._sure = sure
        self._record = record
        self._unrecorded = unrecorded
        self._clock = clock
        self._observer = observer
        self._newest: tuple[str, tuple[Activity, ...]] = ("", ())
        self._changed = asyncio.Event()
        self._draft: Draft | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_left = False
        self._is_lost = False

    def start(self, group: asyncio.TaskGroup) -> None:
        """Begin to show; nothing is begun in a group whose lane is being cut."""
        work = self._run()
        try:
            self._task = group.create_task(work)
        except RuntimeError:  # how a group says so
            work.close()

    def show(self, text: str, activities: Sequence[Activity]) -> None:
        """Replace what is to be seen; returns at once, the loop takes the newest."""
        self._newest = (text, tuple(activities))
        self._changed.set()

    async def close(self) -> Draft | None:
        """Stop growing; the open draft, for the outbox to finish or abandon."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        return self._draft

    def leave(self) -> None:
        """Nobody here finishes or abandons it: its turn goes on without us, or begins again."""
        self._is_left = True
        leave_draft(self._draft)

    async def _run(self) -> None:
        try:
            if self._lost_since is not None:
                await self._whole(self._take_up_lost(self._lost_since))
            await self._grow()
        except Fenced:
            pass  # the lane's new holder shows what there is to see
        except Exception as error:  # the loop of a draft: a platform's code, and only decoration
            self._observer.failed(place=f"draft {self._name}", error=error)

    async def _grow(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            text, activities = self._newest
            if not text and not activities:
                continue
            if not self._sure():
                self._failed("not sure")
                await self._wait_and_look(1.0)
                continue
            try:
                if self._draft is None:
                    await self._gate()
                    await self._whole(self._open_and_record())
                    self._changed.clear()
                    text, activities = self._newest
                assert self._draft is not None
                await self._draft.show(text, activities)
            except Transient as error:
                self._failed("not now")
                after = error.retry_after
                await self._wait_and_look(1.0 if after is None else after.total_seconds())
            except (Permanent, Held):
                self._failed("no more")
                return
            except (Ambiguous, TimeoutError):
                self._failed("no answer")
                return

    async def _wait_and_look(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._changed.set()

    def _failed(self, reason: str) -> None:
        self._observer.draft_failed(adapter=self._name, turn=self._turn, reason=reason)

    async def _whole(self, work: Coroutine[None, None, None]) -> None:
        # Opening a message and writing down where it stands must not be torn apart by a
        # cancel: the task that does both is awaited to its end.
        opening = asyncio.ensure_future(work)
        try:
            await asyncio.shield(opening)
        except asyncio.CancelledError:
            self._is_lost = not self._sure()
            await asyncio.wait([opening])
            if not opening.cancelled():
                opening.exception()
            raise

    async def _take_up_lost(self, since: datetime) -> None:
        """What an earlier run has opened grows on: beside another it would stay half for ever."""
        try:
            async with asyncio.timeout(OPENING):
                found = self._unrecorded.get(self._turn) or await self._found(since)
                if found is not None:
                    await self._record(found)
                    self._unrecorded.drop(self._turn)
                    self._resume = found
                    await self._open_and_record()
        except (CannotTellError, TimeoutError, Transient, Permanent, Held, Ambiguous):
            self._failed("not found")

    async def _found(self, since: datetime) -> Sent | None:
        if not isinstance(self._platform, Finds):
            return None
        finds = self._platform
        return await look(
            lambda: finds.find_draft(self._address, self._turn, since), self._clock, self._observer
        )

    async def _open_and_record(self) -> None:
        async with asyncio.timeout(OPENING):
            draft = await self._platform.draft(
                self._address, turn=self._turn, reply_to=self._reply_to, resume=self._resume
            )
        if draft.sent is not None and draft.sent != self._resume:
            await self._write_down(draft, draft.sent)
        self._draft = draft
        if self._is_left:
            self.leave()  # it was on its way when its lane was lost

    async def _write_down(self, draft: Draft, sent: Sent) -> None:
        try:
            await self._record(sent)
        except Fenced:
            # Where it can be looked for, the lane's new holder may have answered in it by now.
            if not isinstance(self._platform, Finds):
                await close_draft(draft, self._observer)
            raise
        except Transient:
            # Nobody would find it again, so it must not stand there; unless it was written after
            # all, and another node has gone on in it.
            if self._sure() and not self._is_lost:
                await close_draft(draft, self._observer)
            else:
                self._unrecorded.put(self._turn, sent)
            raise
