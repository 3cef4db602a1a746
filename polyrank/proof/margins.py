"""The least margins of a classification, found again over all vertices.

On a polytope every difference of two outputs is affine, so that the least of them is concave and
attains its minimum at a vertex.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from flint import fmpq, fmpq_mat

from polyrank.network.rational import fmpq_from_text
from polyrank.proof.format import ProofRejectedError

__all__ = ["check_classification", "check_margin"]


def check_margin(
    stated: Mapping[str, Any],
    classes: Sequence[int],
    images: Iterable[fmpq_mat],
    output: Sequence[fmpq],
) -> fmpq:
    """The least margin of a class.

    Parameters
    ----------
    stated : mapping
        ``class``, ``least_margin``, ``output``.
    classes : sequence of int
        All of them.
    images : iterable of fmpq_mat, shape (n, outputs)
        The outputs at the vertices of its polytopes.
    output : sequence of fmpq
        At the point that the certificate names, by the plain forward pass.

    Raises
    ------
    ProofRejectedError
        If it is not the stated one, or not attained at the stated point.
    """
    label = int(stated["class"])
    rows = _differences(len(output), label, classes)
    margin = min(v for points in images for row in rows for v in (points * row).entries())
    here = min((fmpq_mat(1, len(output), list(output)) * row)[0, 0] for row in rows)
    if not margin == here == fmpq_from_text(stated["least_margin"]):
        raise ProofRejectedError(
            f"the least margin of class {label} is {margin}, stated is {stated['least_margin']}, "
            f"and {here} at the stated point"
        )
    if [fmpq_from_text(v) for v in stated["output"]] != list(output):
        raise ProofRejectedError(f"the output at the worst point of class {label} is another one")
    return margin


def check_classification(
    stated: Mapping[str, Any], classes: Sequence[int], margins: Sequence[fmpq], outputs: int
) -> None:
    """Whether the rule and the verdict follow from the margins.

    Raises
    ------
    ProofRejectedError
        If they do not.
    """
    if stated["rule"] != ("sign" if outputs == 1 else "argmax"):
        raise ProofRejectedError("the rule of the classification is another one")
    if [int(own["class"]) for own in stated["classes"]] != list(classes):
        raise ProofRejectedError("the margins are not those of the classes")
    worst = min(margins)
    if fmpq_from_text(stated["least_margin"]) != worst or stated["certified"] != (worst > 0):
        raise ProofRejectedError("the classification does not follow from the margins")


def _differences(outputs: int, label: int, classes: Sequence[int]) -> list[fmpq_mat]:
    """The linear forms whose least value is the margin."""
    if outputs == 1:
        if len(classes) != 2:
            raise ProofRejectedError("one output tells two classes apart")
        return [fmpq_mat(1, 1, [-1 if label == min(classes) else 1])]
    if not 0 <= label < outputs:
        raise ProofRejectedError(f"class {label} is no output")
    rows = []
    for rival in range(outputs):
        if rival != label:
            row = [0] * outputs
            row[label], row[rival] = 1, -1
            rows.append(fmpq_mat(outputs, 1, row))
    return rows
