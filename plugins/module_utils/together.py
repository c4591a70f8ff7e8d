# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work of several threads, each waiting for programs of its own: the first failure ends all of them, and is the one that is told."""

from __future__ import annotations

import concurrent.futures
import threading
from typing import Any, Callable, Iterable, List, Protocol, Set, TypeVar

from ansible_collections.migrations.rehearsal.plugins.module_utils.process import ToolFailed

_Item = TypeVar("_Item")


class Running(Protocol):
    """What is under way: a program, or several that end together."""

    def wait(self, deadline_s: float) -> None:
        """Until it is done; raises ToolFailed."""

    def stop(self) -> None:
        """End it, whatever it does."""


class Together:
    """`deadline_s` bounds each of what runs."""

    def __init__(self, deadline_s: float) -> None:
        self._deadline_s = deadline_s
        self._lock = threading.Lock()
        self._running: Set[Running] = set()
        self._failures: List[BaseException] = []
        self._halted = False

    @property
    def halted(self) -> bool:
        """Whether nothing more is to be begun."""
        return self._halted

    def guarded(self, call: Callable[..., None], *args: Any) -> None:
        """Call it; if it fails, everything else ends."""
        try:
            call(*args)
        except BaseException as error:
            with self._lock:
                self._failures.append(error)
            self.halt()
            raise

    def run(self, one: Running) -> None:
        """Wait for it; it is stopped as soon as anything else fails."""
        with self._lock:
            self._running.add(one)
            halted = self._halted
        try:
            if halted:
                one.stop()
            one.wait(self._deadline_s)
        finally:
            with self._lock:
                self._running.discard(one)

    def each(self, items: Iterable[_Item], work: Callable[[_Item], None], threads: int) -> None:
        """`work` on every item, in their order, on so many at once; until all are done. Raises what failed first."""
        waiting, lock = iter(items), threading.Lock()

        def go_on() -> None:
            while not self._halted:
                with lock:
                    item = next(waiting, None)
                if item is None:
                    return
                work(item)

        with concurrent.futures.ThreadPoolExecutor(max(threads, 1)) as pool:
            for done in [pool.submit(self.guarded, go_on) for _number in range(max(threads, 1))]:
                done.result()
        self.require_going_on()

    def require_going_on(self) -> None:
        """Raise what failed first, if everything is to end."""
        if self._halted:
            raise self.first(ToolFailed("it was stopped"))

    def halt(self) -> None:
        """End all that runs."""
        with self._lock:
            self._halted = True
            running = list(self._running)
        for one in running:
            one.stop()

    def first(self, error: BaseException) -> BaseException:
        """What failed before everything else did; `error` where nothing was noted."""
        return (self._failures or [error])[0]
