"""What a verification property says, exactly: comparisons of affine functions, joined by and, or.

Kept for whoever asks whether an input exists that satisfies it; polyrank itself uses the inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from flint import fmpq

from polyrank.polyhedra.linear import Linear

__all__ = ["Comparison", "Condition", "Junction", "Relation", "compared_to_zero", "joined"]

Relation: TypeAlias = Literal["<=", "<", "=", "!="]


@dataclass(frozen=True, slots=True)
class Comparison:
    """``Σ a · x_i + Σ b · y_j  relation  bound``.

    Attributes
    ----------
    inputs, outputs : tuple of (int, fmpq)
        The pairs (i, a) and (j, b); increasing indices, coefficients ≠ 0.
    relation : "<=", "<", "=" or "!="
    bound : fmpq
    """

    inputs: tuple[tuple[int, fmpq], ...]
    outputs: tuple[tuple[int, fmpq], ...]
    relation: Relation
    bound: fmpq


@dataclass(frozen=True, slots=True)
class Junction:
    """All (``and``) or at least one (``or``) of the parts; no part at all: true, false."""

    word: Literal["and", "or"]
    parts: tuple[Condition, ...]


Condition: TypeAlias = "Comparison | Junction"


def compared_to_zero(function: Linear, relation: Relation) -> Comparison:
    """``function relation 0``; variables i ≥ 0 are inputs, −1 − j outputs."""
    ordered = sorted(function.terms.items())
    inputs = tuple((i, a) for i, a in ordered if i >= 0)
    outputs = tuple((-1 - i, a) for i, a in reversed(ordered) if i < 0)
    return Comparison(inputs, outputs, relation, -function.constant)


def joined(word: Literal["and", "or"], parts: Sequence[Condition]) -> Condition:
    """The parts joined; one part is itself."""
    return parts[0] if len(parts) == 1 else Junction(word, tuple(parts))
