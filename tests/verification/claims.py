"""Whether what a directory of ``verify -o`` states is true, by brute force over sign patterns.

For small networks with at most two inputs. Everything is a question whether linear conditions,
strict or not, have a common solution on a cell, which Fourier-Motzkin elimination decides in
rationals. Nothing of polyrank is used but the container of the weights; the questions of a
property are read from ``verdict.json``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from operator import le, lt
from pathlib import Path
from typing import Any

import polyrank as pr
from polyrank.network.normal_form import Network
from tests.oracles import exact_layers, primitive
from tests.verification.vertices import Vector, box_rows, outputs_at, pieces

#: A row (a, b) and whether ``a·x + b > 0`` is meant instead of ``≥ 0``.
Condition = tuple[Vector, bool]


def feasible(conditions: Iterable[Condition], d: int) -> bool:
    """Whether an x in R^d satisfies all conditions."""
    rows = {(primitive(row), strict) for row, strict in conditions}
    for l in range(d):
        up = [(row, strict) for row, strict in rows if row[l] > 0]
        down = [(row, strict) for row, strict in rows if row[l] < 0]
        rows = {(row, strict) for row, strict in rows if row[l] == 0}
        for p, strict in up:
            for q, also in down:
                sum_ = [p[l] * b - q[l] * a for a, b in zip(p, q, strict=True)]
                rows.add((primitive(sum_), strict or also))
    return all(row[-1] > 0 or (row[-1] == 0 and not strict) for row, strict in rows)


def _minus(one: Sequence[Fraction], two: Sequence[Fraction]) -> Vector:
    return tuple(a - b for a, b in zip(one, two, strict=True))


def _negated(row: Sequence[Fraction]) -> Vector:
    return tuple(-v for v in row)


def domain_rows(stated: dict[str, Any], d: int) -> list[Vector]:
    """The rows ``a·x + b ≥ 0`` of a box, a polytope or the whole space."""
    match stated["kind"]:
        case "whole space":
            return []
        case "box":
            sides = [stated[side] for side in ("lower", "upper")]
            sides = [side if isinstance(side, list) else [side] * d for side in sides]
            return box_rows(*([Fraction(v) for v in side] for side in sides))
        case "polytope":
            return [
                (*(-Fraction(v) for v in row), Fraction(b))
                for row, b in zip(stated["A"], stated["b"], strict=True)
            ]
    raise AssertionError(stated)


def _row(stated: dict[str, Any], forms: Sequence[Vector]) -> Condition:
    """A row ``Σ a_j v_j ≤ bound`` of a property over affine functions v."""
    total = [Fraction(0)] * (len(forms[0]) - 1) + [Fraction(stated["bound"])]
    for j, a in stated["terms"]:
        total = [t - Fraction(a) * v for t, v in zip(total, forms[j], strict=True)]
    return tuple(total), stated["strict"]


def _inputs(d: int) -> list[Vector]:
    return [(*(Fraction(int(l == j)) for j in range(d)), Fraction(0)) for l in range(d)]


def _at(row: Vector, x: Sequence[Fraction]) -> Fraction:
    return sum((a * v for a, v in zip(row, x, strict=False)), row[-1])


def _satisfied(condition: Condition, x: Sequence[Fraction]) -> bool:
    value = _at(condition[0], x)
    return value > 0 or (value == 0 and not condition[1])


def _cases(stated: dict[str, Any], forms: list[Vector], d: int) -> Iterator[list[Condition]]:
    """The conditions of every disjunct of every question, with those on the inputs."""
    for question in stated["property"]["questions"]:
        inside = [(row, False) for row in domain_rows(question["domain"], d)]
        inside += [_row(row, _inputs(d)) for row in question["strict"]]
        for disjunct in question["disjuncts"]:
            yield inside + [_row(row, forms) for row in disjunct]


def _verdict(path: Path, stated: dict[str, Any]) -> bool:
    network = pr.load(path / "network.json")
    d = network.input_dim
    if stated["verdict"] == "violated":
        x, y = ([Fraction(v) for v in stated["counterexample"][k]] for k in "xy")
        constant = [(*([Fraction(0)] * d), v) for v in y]
        cases = _cases(stated, constant, d)
        return outputs_at(exact_layers(network), x) == tuple(y) and any(
            all(_satisfied(condition, x) for condition in case) for case in cases
        )
    assert stated["verdict"] == "holds"
    return not any(
        feasible([*((row, False) for row in rows), *case], d)
        for rows, forms in pieces(network)
        for case in _cases(stated, forms, d)
    )


def _with_interior(network: Network, inside: list[Vector]) -> Iterator[list[Vector]]:
    """The affine maps of the cells that have interior on a domain with interior."""
    for rows, forms in pieces(network):
        if feasible([(row, True) for row in (*rows, *inside) if any(row)], network.input_dim):
            yield forms


def _monotone(path: Path, stated: dict[str, Any]) -> bool:
    network, claim = pr.load(path / "network.json"), stated["claim"]
    i, j, sign = claim["input"], claim["output"], 1 if claim["increasing"] else -1
    inside = domain_rows(stated["domain"], network.input_dim)
    if stated["verdict"] == "holds":
        return all(sign * forms[j][i] >= 0 for forms in _with_interior(network, inside))
    first, second = ([Fraction(v) for v in x] for x in stated["points"])
    layers = exact_layers(network)
    change = outputs_at(layers, second)[j] - outputs_at(layers, first)[j]
    moved = _minus(second, first)
    return (
        all(_satisfied((row, False), x) for row in inside for x in (first, second))
        and moved[i] > 0
        and not any(v for l, v in enumerate(moved) if l != i)
        and sign * change < 0
    )


def _within(J: list[Vector], norm: str, bound: Fraction, less: Callable[[Any, Any], bool]) -> bool:
    """Whether the norm of a matrix of two columns, or its square for "2", is below a bound."""
    if norm == "inf":
        return all(less(sum(map(abs, row)), bound) for row in J)
    columns = list(zip(*J, strict=True))
    if norm == "1":
        return all(less(sum(map(abs, column)), bound) for column in columns)
    (a, b), (_, c) = [
        [sum(v * w for v, w in zip(one, two, strict=True)) for two in columns] for one in columns
    ]
    return less(a, bound) and less(c, bound) and less(b * b, (bound - a) * (bound - c))


def _lipschitz(path: Path, stated: dict[str, Any]) -> bool:
    network, norm = pr.load(path / "network.json"), stated["claim"]["norm"]
    inside = domain_rows(stated["domain"], network.input_dim)
    lower, upper = Fraction(stated["lower"]), Fraction(stated["upper"])
    maps = [[row[:-1] for row in forms] for forms in _with_interior(network, inside)]
    return (
        all(_within(J, norm, upper, le) for J in maps)
        and not all(_within(J, norm, lower, lt) for J in maps)
        and _inside(stated, [Fraction(v) for v in stated["witness"]])
    )


def _pairs(path: Path, stated: dict[str, Any]) -> Iterator[tuple[list[Vector], list[Vector]]]:
    """Rows of the common cells of two networks, and the differences of their affine maps."""
    one, two = (pr.load(path / name) for name in ("network.json", "second.json"))
    inside = domain_rows(stated["domain"], one.input_dim)
    others = list(pieces(two))
    for rows, forms in pieces(one):
        if not feasible([(row, False) for row in (*rows, *inside)], one.input_dim):
            continue
        for more, those in others:
            yield [*inside, *rows, *more], [_minus(a, b) for a, b in zip(forms, those, strict=True)]


def _difference_at(path: Path, x: list[Fraction]) -> Vector:
    one, two = (exact_layers(pr.load(path / name)) for name in ("network.json", "second.json"))
    return _minus(outputs_at(one, x), outputs_at(two, x))


def _inside(stated: dict[str, Any], x: list[Fraction]) -> bool:
    return all(_satisfied((row, False), x) for row in domain_rows(stated["domain"], len(x)))


def _equal(path: Path, stated: dict[str, Any]) -> bool:
    if stated["verdict"] == "violated":
        x = [Fraction(v) for v in stated["point"]]
        return _inside(stated, x) and any(_difference_at(path, x))
    return not any(
        feasible([*((row, False) for row in rows), (side, True)], len(side) - 1)
        for rows, forms in _pairs(path, stated)
        for form in forms
        for side in (form, _negated(form))
    )


def _difference(path: Path, stated: dict[str, Any]) -> bool:
    value, x = Fraction(stated["value"]), [Fraction(v) for v in stated["x"]]
    if not (_inside(stated, x) and abs(_difference_at(path, x)[stated["output"]]) == value):
        return False
    return not any(
        feasible([*((row, False) for row in rows), ((*side[:-1], side[-1] - value), True)], len(x))
        for rows, forms in _pairs(path, stated)
        for form in forms
        for side in (form, _negated(form))
    )


_KINDS: dict[str, Callable[[Path, dict[str, Any]], bool]] = {
    "monotone": _monotone,
    "lipschitz": _lipschitz,
    "equal": _equal,
    "difference": _difference,
}


def is_true(path: Path) -> bool:
    """Whether what ``verdict.json`` or ``function.json`` states is true."""
    if (path / "verdict.json").is_file():
        return _verdict(path, json.loads((path / "verdict.json").read_text()))
    stated = json.loads((path / "function.json").read_text())
    return _KINDS[stated["claim"]["kind"]](path, stated)
