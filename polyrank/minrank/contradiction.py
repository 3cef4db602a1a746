"""Whether integer rows can be positive together: a point, or multipliers, each verified exactly."""

from __future__ import annotations

from collections.abc import Sequence

from flint import fmpq_mat

from polyrank.errors import UncertifiedError
from polyrank.lp.certificates import Infeasible
from polyrank.lp.deadline import elimination_seconds, look
from polyrank.lp.exact import farkas
from polyrank.lp.exact_interior import interior_point
from polyrank.lp.exact_simplex import Cell
from polyrank.lp.farkas import Multipliers, value_at, verify_farkas
from polyrank.minrank.programs import Proposal
from polyrank.network.rational import fmpq_from_float
from polyrank.posed.region import IntRow

__all__ = ["contradiction", "decide", "proves_empty"]


def decide(
    rows: Sequence[IntRow], numbers: Sequence[int], proposal: Proposal, k: int
) -> fmpq_mat | Multipliers:
    """A point where the rows ``numbers`` are positive, or the proof that there is none.

    Parameters
    ----------
    rows : sequence of IntRow
    numbers : sequence of int
        The rows in question.
    proposal : Proposal
        Tried first; numbers of its support refer to ``rows``. If it proves nothing, an exact
        linear program decides.
    k : int

    Returns
    -------
    fmpq_mat, shape (k, 1), or Multipliers
        The multipliers refer to ``rows``; :func:`proves_empty` has accepted them.

    Raises
    ------
    UncertifiedError
        If the exact program's own certificate fails its check (a defect, not an answer).
    """
    if proposal.point is not None:
        point = fmpq_mat(k, 1, [fmpq_from_float(v) for v in proposal.point])
        if all(value_at(rows[i], point) > 0 for i in numbers):
            return point
    if set(proposal.support) <= set(numbers):
        proof = contradiction(rows, proposal.support)
        if proof is not None and proves_empty(rows, proof, k):
            return proof
    outcome = interior_point(Cell.from_rows([rows[i] for i in numbers], k))
    local = outcome.multipliers
    if not isinstance(outcome, Infeasible) and local is None:
        return outcome.point
    if local is not None:
        proof = Multipliers(
            local.scale, local.constant, tuple(numbers[i] for i in local.indices), local.values
        )
        if proves_empty(rows, proof, k):
            return proof
    raise UncertifiedError("an exact certificate of emptiness failed its own check")


def contradiction(rows: Sequence[IntRow], support: Sequence[int]) -> Multipliers | None:
    """``0 = c + Σ λ_j row_j`` with c ≥ 0 and λ ≥ 0, not all zero, over a proposed support.

    The first row of the support gets a positive multiplier.
    """
    if not support:
        return None
    first, *rest = support
    look(elimination_seconds(len(rest), len(rows[first])))
    found = farkas(rows, rest, tuple(-v for v in rows[first]))
    if found is None or found.constant < 0:
        return None
    return Multipliers(1, found.constant, (first, *found.indices), (found.scale, *found.values))


def proves_empty(rows: Sequence[IntRow], proof: Multipliers, k: int) -> bool:
    """Whether the multipliers prove that the rows cannot all be positive.

    ``0 = c + Σ λ_j row_j`` with c ≥ 0 and λ ≥ 0, not both zero, makes the right-hand side positive
    wherever all the rows are.
    """
    if not verify_farkas(rows, (0,) * (k + 1), proof):
        return False
    return proof.constant > 0 or any(v > 0 for v in proof.values)
