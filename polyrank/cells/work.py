"""A budget of work that is the same on every machine.

A task of a run ends where its budget is spent. If that were a matter of seconds, the tree of tasks,
and with it the order of regions and their witnesses, would depend on the machine and on whatever
else it does. Work is therefore counted in what the search does: cells, linear programs and pivots.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Work"]

_FIRST_LOOK = 256
_LEAST, _MOST = 64, 1 << 16
#: A cell that is settled in rationals, in units of about a microsecond.
_EXACT_CELL = 1000.0


class Work:
    """Cells, tests and pivots until a limit, in units of very roughly a microsecond.

    The counters are looked at only at cells whose number follows from the counters before, so that
    two searches of the same cells end at the same cell.

    Parameters
    ----------
    limit : float
    cell : float
        Units of a cell.
    test : float
        Units of a linear program or a pivot.

    Examples
    --------
    >>> work = Work(1000.0, cell=1.0, test=2.0)
    >>> work.begin(0, 0, 0)
    >>> work.room(0)
    256
    >>> work.look(256, lambda: 1000, 0)
    >>> work.over
    True
    """

    __slots__ = ("_next", "_seen", "_start", "cell", "limit", "spent", "test")

    def __init__(self, limit: float, *, cell: float, test: float) -> None:
        self.limit = limit
        self.cell = cell
        self.test = test
        self.spent = 0.0
        self._start = (0, 0, 0)
        self._seen = (0, 0)
        self._next = _FIRST_LOOK

    def begin(self, cells: int, tests: int, exact: int) -> None:
        """Count from here: cells, tests and pivots, cells in rationals so far."""
        self._start = cells, tests, exact
        self._seen = cells, tests
        self._next = cells + _FIRST_LOOK

    @property
    def over(self) -> bool:
        """The limit is reached."""
        return self.spent >= self.limit

    def room(self, cells: int) -> int:
        """How many more cells may be worked on until :meth:`look` is to be called."""
        return max(1, self._next - cells)

    def look(self, cells: int, tests: Callable[[], int], exact: int) -> None:
        """Count what was done: cells in rationals at once, all else only where it is time.

        Between two looks the clock decides how far a search has come.
        """
        due = cells >= self._next
        if due:
            self._seen = cells, tests()
        first_cell, first_test, first_exact = self._start
        done = self._seen[0] - first_cell
        self.spent = (
            self.cell * done
            + self.test * (self._seen[1] - first_test)
            + _EXACT_CELL * (exact - first_exact)
        )
        if due:
            left = (self.limit - self.spent) * done / max(self.spent, 1.0)
            self._next = cells + int(min(_MOST, max(_LEAST, left / 2)))
