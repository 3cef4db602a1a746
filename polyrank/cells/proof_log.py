"""The proof log: one short record per decision; see :mod:`polyrank.proof.format`."""

from __future__ import annotations

from polyrank.cells.log_steps import LOG_NEGATIVE, LOG_POSITIVE
from polyrank.lp.jit import fused

__all__ = ["log_miss", "log_step", "log_unit"]


@fused
def log_unit(work, step, unit):
    """Append a step about one unit of the current layer."""
    if work.log.shape[0] == 0:
        return
    p = work.log_state[0]
    work.log[p] = step
    work.log[p + 1] = unit & 255
    work.log[p + 2] = unit >> 8
    work.log_state[0] = p + 3


@fused
def log_step(work, step):
    """Append a step about the cell."""
    if work.log.shape[0] == 0:
        return
    p = work.log_state[0]
    work.log[p] = step
    work.log_state[0] = p + 1


@fused
def log_miss(work, unit, side):
    """Append: the unit has sign ``side`` on the cell, by the rows of the current basis."""
    if work.log.shape[0] == 0:
        return
    log_unit(work, LOG_POSITIVE if side > 0 else LOG_NEGATIVE, unit)
    d = work.basis.shape[0]
    p = work.log_state[0]
    if work.log_state[1] == 1:
        for q in range(d):
            work.log[p + q] = work.basis[q]
        work.log_state[0] = p + d
    else:
        for q in range(d):
            work.log[p + 2 * q] = work.basis[q] & 255
            work.log[p + 2 * q + 1] = work.basis[q] >> 8
        work.log_state[0] = p + 2 * d
