"""Steps of an Alethe proof about one cell: bounds of units, and the contradiction in the end.

Every step is a linear combination (rule ``la_generic``, with its multipliers) of what is known:
comparisons of inputs, definitions of pre-activations, lines below and above the units. An affine
function of all variables is bounded by eliminating them from the last layer to the first; what is
subtracted on the way are the multipliers, and all of it is exact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from flint import fmpq, fmpq_mat

from polyrank.lp.short_points import leading_bits
from polyrank.verification.smt_problem import Fact, SmtProblem, linear, number, relation

__all__ = ["BITS", "Cell", "Function", "Multipliers", "Steps", "Used"]

#: Facts with multipliers.
Used = list[tuple[Fact, fmpq]]

#: Bits of the bounds of units.
BITS = 24


class Steps:
    """Writes steps and names them."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.count = 0
        self._inside = ""

    def name(self) -> str:
        """A new name."""
        self.count += 1
        return f"{self._inside}t{self.count}"

    def step(self, clause: Sequence[str], rule: str, premises: Sequence[str] = (),
             args: Sequence[str] = ()) -> str:  # fmt: skip
        """A step; its name."""
        name = self.name()
        self._write(name, clause, rule, premises, args)
        return name

    def _write(self, name: str, clause: Sequence[str], rule: str, premises: Sequence[str],
               args: Sequence[str], tail: str = "") -> None:  # fmt: skip
        text = f"(step {name} (cl{''.join(' ' + v for v in clause)}) :rule {rule}"
        text += f" :premises ({' '.join(premises)})" if premises else ""
        text += f" :args ({' '.join(args)})" if args else ""
        self.lines.append(f"{text}{tail})")

    def open(self, terms: Sequence[str]) -> tuple[str, list[Fact]]:
        """Begin a subproof with assumptions."""
        name = self.name()
        self.lines.append(f"(anchor :step {name})")
        self._inside = f"{name}."
        facts = [Fact(f"{name}.h{i}", term) for i, term in enumerate(terms)]
        self.lines += [f"(assume {fact.name} {fact.term})" for fact in facts]
        return name, facts

    def abandon(self, mark: int) -> None:
        """Forget the lines from a mark on, and the subproof that was open."""
        del self.lines[mark:]
        self._inside = ""

    def close(self, name: str, facts: Sequence[Fact]) -> str:
        """End it, after the empty clause: the assumptions contradict each other."""
        self._inside = ""
        clause = [*(f"(not {fact.term})" for fact in facts), "false"]
        names = " ".join(fact.name for fact in facts)
        self._write(name, clause, "subproof", (), (), f" :discharge ({names})")
        no = self.step(["(not false)"], "false")
        return self.step(clause[:-1], "resolution", [name, no])

    def combined(self, used: Sequence[tuple[Fact, fmpq]], goals: Sequence[tuple[str, fmpq]]) -> str:
        """``cl goals`` by a linear combination of facts with multipliers, which are resolved."""
        used = [(fact, factor) for fact, factor in used if factor != 0]
        clause = [f"(not {fact.term})" for fact, _ in used] + [term for term, _ in goals]
        args = [number(factor) for _, factor in used] + [number(factor) for _, factor in goals]
        name = self.step(clause, "la_generic", args=args)
        if not used:
            return name
        premises = [name, *(fact.name for fact, _ in used)]
        return self.step([term for term, _ in goals], "resolution", premises)


@dataclass(slots=True)
class Function:
    """An affine function of all variables: a row for each layer's h and z, one for x."""

    h: dict[int, list[fmpq]]
    z: dict[int, list[fmpq]]
    x: list[fmpq]
    constant: fmpq


class Multipliers(NamedTuple):
    """Multipliers of units, by layer and unit.

    Attributes
    ----------
    shares : mapping
        The slope of an open unit's free line, as a share of the way from that of the negative side
        to that of the positive one.
    pushes : mapping
        How often ``s Z ≥ 0`` is added, for units with an assumed sign s; ≥ 0.
    """

    shares: Mapping[tuple[int, int], fmpq]
    pushes: Mapping[tuple[int, int], fmpq]


class _Line(NamedTuple):
    """``H`` compared with ``slope · Z + offset``."""

    fact: Fact
    slope: fmpq
    offset: fmpq


class Cell:
    """What is known of a set of inputs, within a subproof.

    Parameters
    ----------
    problem : SmtProblem
    steps : Steps
    low, high : lists of (Fact, fmpq)
        ``X_l ≥ low`` and ``X_l ≤ high`` with the facts that say so; None where there is none.
    bits : int
        Of the bounds of units; what is rounded is proved.
    """

    def __init__(
        self,
        problem: SmtProblem,
        steps: Steps,
        low: Sequence[tuple[Fact, fmpq] | None],
        high: Sequence[tuple[Fact, fmpq] | None],
        bits: int = BITS,
    ) -> None:
        self.problem, self.steps = problem, steps
        self.low, self.high, self.bits = low, high, bits
        self._signs: dict[tuple[int, int], tuple[int, Fact]] = {}
        self._open: set[tuple[int, int]] = set()
        self._below: list[list[_Line | None]] = []
        self._above: list[list[_Line | None]] = []
        for layer in problem.network.layers:
            self._below.append([None] * layer.units)
            self._above.append([None] * layer.units)

    def bound(
        self, function: Function, multipliers: Multipliers | None = None
    ) -> tuple[list[tuple[Fact, fmpq]], fmpq]:
        """Facts with multipliers ≥ 0 (of equalities: any), and the constant that they leave.

        The function is their sum and the constant, so that it is at least the constant.
        """
        shares = {} if multipliers is None else multipliers.shares
        pushes = {} if multipliers is None else multipliers.pushes
        layers = self.problem.network.layers
        used: dict[str, tuple[Fact, fmpq]] = {}
        constant = function.constant

        def take(fact: Fact, factor: fmpq) -> None:
            known = used.get(fact.name)
            used[fact.name] = (fact, factor if known is None else known[1] + factor)

        zero = fmpq(0)
        h = list(function.h.get(len(layers) - 1, [zero] * layers[-1].units))
        for k in range(len(layers) - 1, -1, -1):
            z = list(function.z.get(k, [zero] * layers[k].units))
            for i, factor in enumerate(h):
                if factor == 0:
                    continue
                if (k, i) in shares and (k, i) in self._open and self._is_free(k, i, factor):
                    # both asserted lines, each with its share
                    share = shares[k, i]
                    sides = (self.problem.low if factor > 0 else self.problem.high)[k][i]
                    for (fact, slope), part in zip(sides, (1 - share, share), strict=True):
                        take(fact, abs(factor) * part)
                        z[i] += factor * part * slope
                    continue
                line = (self._below if factor > 0 else self._above)[k][i]
                if line is None:
                    raise ValueError(f"nothing is known of unit {i} of layer {k + 1}")
                take(line.fact, abs(factor))
                z[i] += factor * line.slope
                constant += factor * line.offset
            for (layer, i), push in pushes.items():
                if layer == k and push != 0:
                    s, fact = self._signs[k, i]
                    take(fact, push)
                    z[i] -= push * s
            for i, factor in enumerate(z):
                if factor != 0:
                    take(self.problem.definitions[k][i], factor)
            row = fmpq_mat(1, len(z), z)
            constant += (row * layers[k].bias_exact)[0, 0]
            h = (row * layers[k].weight_exact).entries()
            for j, extra in enumerate(function.h.get(k - 1, ()) if k else function.x):
                h[j] += extra
        for l, factor in enumerate(h):
            if factor == 0:
                continue
            side = self.low[l] if factor > 0 else self.high[l]
            if side is None:
                raise ValueError(f"input {l} is not bounded")
            take(side[0], abs(factor))
            constant += factor * side[1]
        return list(used.values()), constant

    def _is_free(self, k: int, i: int, factor: fmpq) -> bool:
        """Whether a unit's line on the side that a factor needs is not the chord."""
        neg, pos = self.problem.network.layers[k].slopes_exact[i]
        return bool((factor > 0) == (neg < pos))

    def assume(self, k: int, i: int, sign: int, fact: Fact) -> None:
        """Note a fact that says ``Z ≥ 0`` (1) or ``Z ≤ 0`` (−1), before its layer is enclosed."""
        self._signs[k, i] = sign, fact

    def of_unit(self, k: int, i: int, sign: int) -> Function:
        """``± Z``."""
        row = [fmpq(0)] * self.problem.network.layers[k].units
        row[i] = fmpq(sign)
        return Function({}, {k: row}, [fmpq(0)] * len(self.problem.inputs), fmpq(0))

    def enclose(self, k: int) -> None:
        """Prove lines of all units of a layer by the bounds of their pre-activations."""
        for i in range(self.problem.network.layers[k].units):
            neg, pos = self.problem.network.layers[k].slopes_exact[i]
            if neg == pos:
                self._flat(k, i)
                continue
            if (k, i) in self._signs:
                self.know_sign(k, i, *self._signs[k, i])
                continue
            used, least = self.bound(self.of_unit(k, i, 1))
            least = least if least == 0 else leading_bits(least, self.bits)
            low = (self._at(k, i, ">=", least, used), least)
            if least >= 0:
                self._lines(k, i, low, None)
                continue
            used, most = self.bound(self.of_unit(k, i, -1))
            most = -most if most == 0 else -leading_bits(most, self.bits)
            high = (self._at(k, i, "<=", most, used), most)
            self._lines(k, i, None if most <= 0 else low, high)

    def _at(
        self, k: int, i: int, symbol: str, value: fmpq, used: Sequence[tuple[Fact, fmpq]]
    ) -> Fact:
        term = relation(symbol, self.problem.z(k, i), number(value))
        return Fact(self.steps.combined(used, [(term, fmpq(1))]), term)

    def know_sign(self, k: int, i: int, sign: int, fact: Fact) -> None:
        """Lines of a unit of which a fact says ``Z ≥ 0`` or ``Z ≤ 0``."""
        side = (fact, fmpq(0))
        self._lines(k, i, *((side, None) if sign > 0 else (None, side)))

    def flat(self, k: int) -> None:
        """Lines of the units of a layer that are linear."""
        for i, (neg, pos) in enumerate(self.problem.network.layers[k].slopes_exact):
            if neg == pos:
                self._flat(k, i)

    def _flat(self, k: int, i: int) -> None:
        zero = fmpq(0)
        (below, slope), (above, _) = self.problem.low[k][i][0], self.problem.high[k][i][0]
        self._below[k][i] = _Line(below, slope, zero)
        self._above[k][i] = _Line(above, slope, zero)

    def _lines(
        self,
        k: int,
        i: int,
        low: tuple[Fact, fmpq] | None,
        high: tuple[Fact, fmpq] | None,
    ) -> None:
        """The two lines of a unit whose pre-activation is bounded; below and above 0, or by both.

        In G = ± H the unit is ``max(n Z, p Z)`` with n < p: comparisons with both slopes are
        asserted, and one line on the other side is derived from the disjunction.
        """
        neg, pos = self.problem.network.layers[k].slopes_exact[i]
        turned = 1 if neg < pos else -1
        n, p, zero = turned * neg, turned * pos, fmpq(0)
        asserted = self.problem.low[k][i] if turned > 0 else self.problem.high[k][i]
        if high is None:
            slope, offset, near = p, zero, 1
        elif low is None:
            slope, offset, near = n, zero, 0
        else:
            a, b = low[1], high[1]
            self._open.add((k, i))
            slope = min(p, max(n, leading_bits((p * b - n * a) / (b - a), self.bits)))
            offset = max((p - slope) * b, (n - slope) * a)
            near = int(b > -a)
        base = _Line(asserted[near][0], asserted[near][1], zero)
        far = "<=" if turned > 0 else ">="
        h, z = self.problem.h(k, i), self.problem.z(k, i)
        goal = relation(far, h, linear([(turned * slope, z)], turned * offset))
        cases = [relation(far, h, linear([(s, z)])) for s in (neg, pos)]
        disjunction = self.problem.either[k][i]
        if disjunction is None:
            raise ValueError("a unit with two slopes has two cases")
        clause = self.steps.step(cases, "or", [disjunction.name])
        premises, bounds = [clause], []
        # slope·Z + offset − n·Z = (slope − n)(Z − low) + ..., and (p − slope)(high − Z) + ...
        for case, factor, side in (
            (cases[0], slope - n, low), (cases[1], p - slope, high),
        ):  # fmt: skip
            terms, args = [f"(not {case})"], [number(fmpq(1))]
            if factor != 0:
                if side is None:
                    raise ValueError("a line needs a bound that is not known")
                terms.append(f"(not {side[0].term})")
                args.append(number(factor))
                bounds.append(side[0].name)
            if case != goal:
                name = self.steps.step([*terms, goal], "la_generic", args=[*args, "1.0"])
                premises.append(name)
        names = [*premises, *bounds]
        name = self.steps.step([goal], "resolution", names) if len(names) > 1 else clause
        line = _Line(Fact(name, goal), turned * slope, turned * offset)
        self._below[k][i], self._above[k][i] = (base, line) if turned > 0 else (line, base)
