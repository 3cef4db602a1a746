"""Properties of the usual kinds, as specifications: robustness, bounds of outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flint import fmpq

from polyrank.errors import DomainError, NetworkError
from polyrank.network.forward import forward_exact
from polyrank.network.normal_form import Network
from polyrank.network.rational import to_fmpq
from polyrank.polyhedra.domain import Domain
from polyrank.polyhedra.entries import exact_number
from polyrank.polyhedra.violation import OutputRow, Question, Specification, specification_of

__all__ = ["argmax_constant", "output_bounds"]


def argmax_constant(
    network: Network, domain: Domain, label: int | None = None, at: Sequence[Any] | None = None
) -> Specification:
    """Output ``label`` is greater than every other output on all of the domain.

    Parameters
    ----------
    label : int, optional
        Default: the greatest output at the input ``at``.
    at : sequence of n numbers, optional
        An input, taken exactly.

    Raises
    ------
    NetworkError
        If there is no such output, or the greatest output at ``at`` is not unique.
    DomainError
        If neither label nor input is given.
    """
    outputs = network.widths[-1]
    if label is None:
        if at is None:
            raise DomainError("name the output that is to be greatest, or an input that shows it")
        y = forward_exact(network, [to_fmpq(v) for v in at])
        greatest = [j for j, v in enumerate(y) if v == max(y)]
        if len(greatest) > 1:
            raise NetworkError(f"outputs {greatest} are equal at the given input; name one")
        label = greatest[0]
    if not 0 <= label < outputs:
        raise NetworkError(f"there is no output {label}: the network has 0 to {outputs - 1}")
    disjuncts = [
        (OutputRow(tuple(sorted([(label, fmpq(1)), (j, fmpq(-1))])), fmpq(0)),)
        for j in range(outputs)
        if j != label
    ]
    return _specification(network, domain, f"output {label} is greatest", disjuncts)


def output_bounds(
    network: Network,
    domain: Domain,
    *,
    lower: Any = None,
    upper: Any = None,
    output: int | None = None,
) -> Specification:
    """Outputs lie within closed bounds on all of the domain.

    Parameters
    ----------
    lower, upper : number, optional
        Exact.
    output : int, optional
        Only this output; default: every one.

    Raises
    ------
    NetworkError
        If there is no such output.
    DomainError
        If no bound is given or a bound is not a number.
    """
    outputs = network.widths[-1]
    if output is not None and not 0 <= output < outputs:
        raise NetworkError(f"there is no output {output}: the network has 0 to {outputs - 1}")
    if lower is None and upper is None:
        raise DomainError("name a lower or an upper bound of the outputs")
    disjuncts = []
    for j in range(outputs) if output is None else [output]:
        if lower is not None:
            bound = exact_number(lower, "lower bound")
            disjuncts.append((OutputRow(((j, fmpq(1)),), bound, strict=True),))
        if upper is not None:
            bound = exact_number(upper, "upper bound")
            disjuncts.append((OutputRow(((j, fmpq(-1)),), -bound, strict=True),))
    which = "outputs" if output is None else f"output {output}"
    low = "" if lower is None else f"{lower} <= "
    high = "" if upper is None else f" <= {upper}"
    return _specification(network, domain, f"{low}{which}{high}", disjuncts)


def _specification(
    network: Network, domain: Domain, name: str, disjuncts: Sequence[tuple[OutputRow, ...]]
) -> Specification:
    question = Question(domain, tuple(disjuncts))
    return specification_of(name, network.input_dim, network.widths[-1], (question,))
