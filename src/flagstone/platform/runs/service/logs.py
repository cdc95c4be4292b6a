"""The log of a run while it is written: masked, capped, in batches."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from flagstone.kernel.clock import Now
from flagstone.kernel.errors import Conflict
from flagstone.platform.runs.settings import RunsSettings
from flagstone.platform.runs.store import NewEvent

log = logging.getLogger("flagstone.runs")

Mask = Callable[[str], str]
"""Replaces known secrets in a text."""
StoreLines = Callable[[str, Sequence[NewEvent], int], object]
"""(run id, lines, fence): append them. Raises Conflict when the fence is stale."""

_STREAMS = {
    "debug": "out",
    "info": "info",
    "warn": "warn",
    "warning": "warn",
    "error": "error",
    "out": "out",
    "err": "err",
}
_LINE_LIMIT = 8_000
_TAIL_LINES = 500
_BATCH = 500
_PERIOD = 0.25


class LogBook:
    """The lines of one run that are not stored yet. Lines may come from any thread, also from within a transaction.

    ``lock`` is taken before a transaction that stores lines, never inside one, so that two writers cannot wait for each
    other; for the same reason :meth:`write` never stores.
    """

    def __init__(
        self,
        run_id: str,
        fence: int,
        store: StoreLines,
        mask: Mask,
        settings: RunsSettings,
        now: Now,
        wake: Callable[[], None] = lambda: None,
        *,
        stored: int = 0,
    ) -> None:
        """``stored``: bytes of the run's log that earlier executions of it have written."""
        self.run_id = run_id
        self._wake = wake
        self.lock = threading.RLock()
        self._fence = fence
        self._store = store
        self._mask = mask
        self._settings = settings
        self._now = now
        self._guard = threading.Lock()
        self._pending: list[NewEvent] = []
        self._caps: dict[str, _Cap] = {}
        self._left = settings.log_bytes_per_run - stored
        self._lost = False

    def write(self, step: str, text: str, stream: str = "out") -> None:
        """Add lines. What cannot be stored as text is replaced."""
        if self._lost:
            return
        stream = _STREAMS.get(stream, "out")
        masked = self._mask(text.encode("utf-8", "replace").decode().replace("\x00", "\ufffd"))
        at = self._now()
        with self._guard:
            cap = self._caps.setdefault(
                step, _Cap(self._settings.log_lines_per_step, self._settings.log_bytes_per_step)
            )
            lines = masked.split("\n")
            for line in lines[cap.skip(len(lines)) :]:
                shown = line.rstrip("\r")
                if len(shown) > _LINE_LIMIT:
                    shown = f"{shown[:_LINE_LIMIT]}… ({len(shown) - _LINE_LIMIT} more characters)"
                event = NewEvent(at, "log", step=step, text=shown, stream=stream)
                if self._left > 0 and cap.takes(event):
                    self._keep(event)
            full = len(self._pending) >= _BATCH
        if full:
            self._wake()

    def _keep(self, event: NewEvent) -> None:
        """The line that reaches the limit is the last one; the notice goes to the store together with it, so that a
        later execution finds the limit passed and does not say it again.
        """
        self._pending.append(event)
        self._left -= event.size
        if self._left <= 0:
            self._pending.append(self._full(event.step))

    def _full(self, step: str) -> NewEvent:
        kept = f"{self._settings.log_bytes_per_run:,} bytes"
        text = f"runs.log_full: this run has written {kept}; nothing more is kept (setting runs.log_bytes_per_run)."
        return NewEvent(self._now(), "log", step=step, text=text, stream="warn")

    def end_step(self, step: str) -> None:
        """The step is over: of a log that was too long add the notice and the last lines."""
        with self._guard:
            cap = self._caps.pop(step, None)
            for event in cap.rest(step) if cap is not None else ():
                if self._left > 0:
                    self._keep(event)

    def flush(self) -> None:
        """Store what there is."""
        with self.draining() as lines:
            if lines:
                self._store(self.run_id, lines, self._fence)

    @contextmanager
    def draining(self) -> Iterator[Sequence[NewEvent]]:
        """Take the lines to store them; they are put back when that fails."""
        with self.lock:
            with self._guard:
                lines, self._pending = self._pending, []
            try:
                yield lines
            except Conflict:
                # Another executor has the run: nobody will ever store these.
                self._lost = True
                raise
            except BaseException:
                with self._guard:
                    self._pending = [*lines, *self._pending]
                raise

    @property
    def waiting(self) -> bool:
        """Whether there are lines to store."""
        return bool(self._pending)


class _Cap:
    """Counts the lines of a step; beyond the limit keeps only the last ones."""

    def __init__(self, lines: int, size: int) -> None:
        tail = min(_TAIL_LINES, lines // 2)
        self._lines = lines - tail
        self._size = size - size // 10
        self._tail: deque[NewEvent] = deque(maxlen=tail)
        self._tail_size = 0
        self._tail_limit = size // 10
        self._dropped = 0
        self._limits = f"{lines:,} lines or {size:,} bytes"

    def skip(self, count: int) -> int:
        """How many of so many lines need not be looked at: the last of them would push them out again."""
        pushed_out = max(0, count - (self._tail.maxlen or 0)) if self._tail else 0
        self._dropped += pushed_out
        return pushed_out

    def takes(self, event: NewEvent) -> bool:
        length = event.size
        if self._lines > 0 and self._size >= length and not self._tail:
            self._lines -= 1
            self._size -= length
            return True
        if len(self._tail) == self._tail.maxlen:
            self._drop()
        self._tail.append(event)
        self._tail_size += length
        while self._tail_size > self._tail_limit and len(self._tail) > 1:
            self._drop()
        return False

    def _drop(self) -> None:
        self._tail_size -= self._tail.popleft().size
        self._dropped += 1

    def rest(self, step: str) -> list[NewEvent]:
        if not self._tail:
            return []
        lines = list(self._tail)
        if not self._dropped:
            return lines
        notice = f"runs.log_truncated: {self._dropped:,} lines were left out here; a step keeps {self._limits}."
        return [NewEvent(lines[0].at, "log", step=step, text=notice, stream="warn"), *lines]


class LogFlusher:
    """Stores the lines of all runs a few times a second, so that a chatty step does not cost a transaction a line."""

    def __init__(self) -> None:
        self._books: set[LogBook] = set()
        self._guard = threading.Lock()
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, book: LogBook) -> None:
        """Look after a run's log."""
        with self._guard:
            self._books.add(book)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="run-logs", daemon=True)
                self._thread.start()
        self._wake.set()

    def remove(self, book: LogBook) -> None:
        """No longer."""
        with self._guard:
            self._books.discard(book)

    def wake(self) -> None:
        """There is much to store: do not wait."""
        self._wake.set()

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(5)

    def _run(self) -> None:
        while not self._stopped.is_set():
            with self._guard:
                books = list(self._books)
            self._wake.wait(_PERIOD if books else None)
            self._wake.clear()
            for book in books:
                self._flush(book)

    def _flush(self, book: LogBook) -> None:
        if not book.waiting:
            return
        try:
            book.flush()
        except Conflict:
            self.remove(book)
        except Exception:
            log.exception("the log of run %s cannot be stored now; it is tried again", book.run_id)
            self._stopped.wait(1)
