"""The one thread that writes to SQLite: it commits what is queued and never waits for company.

What arrives while a commit is being written to disk is the next group. An operation is a small
function that runs inside its group's transaction; it refuses (raises `ParleyError`) before it has
written, so that a refusal costs its group nothing. An operation that the database itself refuses
is run again alone: it cannot take its group down either.

It copies the log into the file as well. A copy that did not reach the disk ends the process, as
PostgreSQL does it: everything is in the log, and the next start copies all of it. So does whatever
else ends the thread: a server that cannot write would only look alive.
"""

import asyncio
import os
import sqlite3
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from msgspec import MsgspecError

from bot.errors import ParleyError, Transient
from bot.store.sqlite_file import LostPages, copy_log, is_our_mistake, translate

GROUP = 256
"""The most operations in one commit, so that the first of them does not wait too long."""

KEPT = 10_000
"""The most operations that nobody waits for which a failing disk may let pile up."""

RETRY_SECONDS = 0.5
"""How long the writer waits for company before it tries again what a failing disk refused."""

PAGES = 4000
"""How long the log may get before it is copied into the file: a page that many turns write (an
index's last one) is copied once for all."""

FEWEST, MOST = 200, 20_000
"""Changed rows after which the log is looked at; a row is about a page, or shares one with many."""

LARGE = 64 * 2**20
"""Bytes of the log beyond which every commit is followed by a look: rows may be large. As many as
SQLite leaves of it when it begins anew (`journal_size_limit`)."""

SAYING_SECONDS = 1.0

LOST = 74
"""The exit code (EX_IOERR) of a process whose file did not reach the disk."""

BROKEN = 70
"""The exit code (EX_SOFTWARE) of a process whose writer ended of what nobody had thought of."""

_LOST = (
    "parley: the disk lost a part of the database's file (fsync failed); this process stops, and "
    "its next start writes it again from the log beside it, once no other program has it open\n"
)
_CLOSED = "the store is closed"
_NO_MEMORY = "the database has no memory left"
_MISTAKES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MsgspecError,
    RuntimeError,
    TypeError,
    ValueError,
)

_T = TypeVar("_T")
Operation = Callable[[sqlite3.Connection], _T]


@dataclass(slots=True, eq=False)
class _Job:
    """`future` is None where nobody waits; `alone` runs outside of any transaction."""

    operation: Operation[Any]
    future: "asyncio.Future[Any] | None" = None
    alone: bool = False
    value: Any = None
    error: Exception | None = None


def _to_stderr(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


class Writer:
    """Runs operations in the order in which they were given."""

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        *,
        rolled_back: Callable[[], None],
        pages: int = PAGES,
        large: int = LARGE,
        end: Callable[[int], object] = os._exit,
        say: Callable[[str], object] = _to_stderr,
    ) -> None:
        self._connect = connect
        self._rolled_back = rolled_back
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._db: sqlite3.Connection | None = None
        self._stopped = True
        self._ended = asyncio.Event()
        self._pages = pages
        self._large = large
        self._log: Path | None = None
        self._end = end
        self._say = say
        self._span = self._due = FEWEST
        self._group: list[_Job] = []

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopped = False
        self._ended = asyncio.Event()
        self._thread = threading.Thread(target=self._serve, name="sqlite-writer", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        """Commit what is queued, then stop."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._stopped = True
            self._queue.put(None)
            # Not from a thread of the loop's own pool: plugins may have filled that for good.
            await self._ended.wait()
            thread.join()

    async def run(self, operation: Operation[_T], *, alone: bool = False) -> _T:
        """Its result, once it is on disk.

        Raises:
            Transient: the disk would not take it; nothing was written.
        """
        if self._loop is None or self._stopped:
            raise Transient(_CLOSED)
        future: asyncio.Future[_T] = self._loop.create_future()
        self._queue.put(_Job(operation, future, alone))
        try:
            return await future
        finally:
            # The traceback of its error holds this frame: a ring, until the collector looks.
            del future

    def post(self, operation: Operation[object]) -> None:
        """Write it before everything that is given later; nobody waits for it."""
        if self._stopped:
            raise Transient(_CLOSED)
        self._queue.put(_Job(operation))

    # ---- on the writer's thread ----------------------------------------------------------

    def _serve(self) -> None:
        try:
            self._work()
        except LostPages:
            # Not even a close: SQLite would copy the rest, call the log done and delete it.
            self._end_at_once(_LOST, LOST)
        finally:
            try:
                self._stopped = True
                self._refuse_the_rest()
                error = sys.exc_info()[1]
                if error is not None:
                    self._end_at_once(_broken(error), BROKEN)
                if self._db is not None:
                    self._db.close()
            finally:
                self._say_in_the_loop(self._ended.set)

    def _work(self) -> None:
        kept: list[_Job] = []
        going_on = True
        while going_on:
            self._group, going_on = self._gather(kept)
            kept = self._commit(self._group) if self._group else []
            self._group = []
            self._copy_log()

    def _end_at_once(self, why: str, code: int) -> None:
        """With a word, if it can be said: our errors may go to the very disk that fails."""
        saying = threading.Thread(target=self._say, args=(why,), daemon=True)
        try:
            saying.start()
            saying.join(SAYING_SECONDS)
        finally:
            self._end(code)

    def _gather(self, kept: list[_Job]) -> tuple[list[_Job], bool]:
        """What is queued now, after what a failing disk refused; False at the end."""
        group, full = kept, len(kept) + GROUP
        try:
            job = self._queue.get(timeout=RETRY_SECONDS if kept else None)
            while job is not None:
                group.append(job)
                if job.alone or len(group) >= full:
                    return group, True
                job = self._queue.get_nowait()
        except Empty:
            return group, True
        return group, False

    def _commit(self, group: list[_Job]) -> list[_Job]:
        """The jobs that nobody waits for and that have to be tried again."""
        together = [job for job in group if not job.alone]
        kept = self._try(together) if together else []
        for job in group[len(together) :]:
            self._run_alone(job)
        return kept

    def _try(self, group: list[_Job]) -> list[_Job]:
        try:
            self._transaction(group)
        except sqlite3.Error as error:
            self._roll_back()
            if is_our_mistake(error):
                return self._one_by_one(group, error)
            return self._give_up(group, _because(error))
        except MemoryError:
            self._roll_back()
            return self._give_up(group, Transient(_NO_MEMORY))
        except (ParleyError, *_MISTAKES) as error:
            self._roll_back()
            return self._one_by_one(group, error)
        self._resolve(group)
        return []

    def _transaction(self, group: list[_Job]) -> None:
        db = self._connection()
        db.execute("BEGIN IMMEDIATE")
        for job in group:
            job.value, job.error = None, None
            try:
                job.value = job.operation(db)
            except ParleyError as error:
                job.error = error
        db.execute("COMMIT")

    def _one_by_one(self, group: list[_Job], error: Exception) -> list[_Job]:
        if len(group) > 1:
            return [job for member in group for job in self._try([member])]
        (job,) = group
        job.error = _because(error) if isinstance(error, sqlite3.Error) else error
        self._resolve(group)
        return []

    def _give_up(self, group: list[_Job], why: ParleyError) -> list[_Job]:
        """Tell everyone who waits; what nobody waits for goes into the next group, in order."""
        for job in group:
            # One each: raised in as many places, each gets a traceback of its own.
            job.error = Transient(str(why))
            job.error.__cause__ = why.__cause__
        kept = [job for job in group if job.future is None][-KEPT:]
        self._resolve(group)
        return kept

    def _run_alone(self, job: _Job) -> None:
        try:
            job.value = job.operation(self._connection())
        except sqlite3.Error as error:
            job.error = _because(error)
        except MemoryError:
            job.error = Transient(_NO_MEMORY)
        except (ParleyError, *_MISTAKES) as error:
            job.error = error
        self._resolve([job])

    def _copy_log(self) -> None:
        """From time to time; nobody waits for it but whoever writes next."""
        db = self._db
        if db is None or (db.total_changes < self._due and not self._is_large()):
            return
        self._due = db.total_changes + self._span
        try:
            length = copy_log(db, "PASSIVE").length
        except sqlite3.Error:
            return  # nothing is lost: the log has it, and it is copied another time
        # What comes next may fill more pages than what was: only a quarter more of it each time.
        right = self._span * self._pages // max(length, 1)
        self._span = min(max(right, FEWEST), self._span + self._span // 4, MOST)

    def _is_large(self) -> bool:
        try:
            return self._log is not None and self._log.stat().st_size > self._large
        except OSError:
            return False  # there is none

    def _refuse_the_rest(self) -> None:
        """Nobody is left waiting, whatever ended the thread; who was told already stays told."""
        rest: list[_Job | None] = [*self._group]
        while not self._queue.empty():
            rest.append(self._queue.get_nowait())
        self._resolve(
            [_Job(job.operation, job.future, error=Transient(_CLOSED)) for job in rest if job]
        )

    def _connection(self) -> sqlite3.Connection:
        if self._db is None:
            self._db = self._connect()
            self._due = self._span
            ((_, _, file),) = self._db.execute("PRAGMA database_list").fetchall()
            self._log = Path(f"{file}-wal") if file else None
        return self._db

    def _roll_back(self) -> None:
        self._rolled_back()
        if self._db is None:
            return
        try:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        except sqlite3.Error:
            # A connection that cannot even roll back is of no more use; the next group opens one.
            self._db.close()
            self._db = None

    def _resolve(self, group: list[_Job]) -> None:
        """Wake everyone who waits with one call into the loop.

        A job forgets whom it told of what: the traceback of an error leads back to it, and while a
        disk is full thousands of such rings would wait for the collector.
        """
        done = [(job.future, job.value, job.error) for job in group if job.future is not None]
        for job in group:
            job.future, job.value, job.error = None, None, None
        if done:
            self._say_in_the_loop(partial(_deliver, done))

    def _say_in_the_loop(self, word: Callable[[], object]) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(word)


def _because(error: sqlite3.Error) -> ParleyError:
    """What it means for the caller; the log names SQLite's own error behind it (SQLITE_FULL)."""
    told = translate(error)
    told.__cause__ = error
    return told


def _broken(error: BaseException) -> str:
    """What it was and where; never its text, in which there may be words of a person."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return (
        f"parley: the thread that writes to the database has ended ({type(error).__name__}{where});"
        " this process stops: what was accepted is stored, and the next start goes on with it\n"
    )


def _deliver(done: "list[tuple[asyncio.Future[Any], Any, Exception | None]]") -> None:
    for future, value, error in done:
        if future.done():
            continue
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)
