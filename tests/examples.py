"""Tiny networks whose regions and ranks follow from a hand computation.

:data:`EXAMPLES` drives the oracles, the search and the checks alike; every entry says why its
numbers are right. A :class:`Space` is a domain both as rows for the oracles and as a polyrank
domain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from polyrank.network.normal_form import Layer, Network
from polyrank.network.rational import RationalArray
from tests.oracles import Matrix, Number, box_rows

__all__ = ["EXAMPLES", "Example", "Space", "box", "layer", "network", "polytope", "whole"]

Slopes = tuple[Number, Number]

RELU: Slopes = (0, 1)
LEAKY: Slopes = (Fraction(1, 4), 1)
ABS: Slopes = (-1, 1)
LINEAR: Slopes = (1, 1)


@dataclass(frozen=True, slots=True)
class Space:
    """A domain: R^n (no rows), a box, or a polytope {x : A x <= b}; rows are (A | b)."""

    kind: str
    rows: Matrix = ()
    lower: tuple[Number, ...] = ()
    upper: tuple[Number, ...] = ()

    def domain(self) -> Any:
        """The polyrank domain."""
        import polyrank as pr

        if self.kind == "whole":
            return pr.WholeSpace()
        if self.kind == "box":
            return pr.Box(list(self.lower), list(self.upper))
        return pr.Polytope([list(row[:-1]) for row in self.rows], [row[-1] for row in self.rows])

    def __repr__(self) -> str:
        if self.kind == "box":
            return f"box({[str(v) for v in self.lower]}, {[str(v) for v in self.upper]})"
        return f"{self.kind}({[[str(v) for v in row] for row in self.rows]})"


def whole() -> Space:
    """R^n."""
    return Space("whole")


def box(lower: Sequence[Number], upper: Sequence[Number]) -> Space:
    """The box ``lower <= x <= upper``."""
    return Space("box", box_rows(lower, upper), tuple(lower), tuple(upper))


def polytope(*rows: Sequence[Number]) -> Space:
    """{x : A x <= b} from rows (A | b)."""
    return Space("polytope", tuple(tuple(Fraction(v) for v in row) for row in rows))


def layer(
    weight: Sequence[Sequence[Number]],
    bias: Sequence[Number],
    slopes: Slopes | list[Slopes] = RELU,
) -> Layer:
    """A layer with exact entries; one pair of slopes (a⁻, a⁺) for all units or one per unit."""
    units, inputs = len(weight), len(weight[0])
    pairs = slopes if isinstance(slopes, list) else [slopes] * units
    flat = [Fraction(v) for row in weight for v in row]
    return Layer(
        RationalArray.from_rationals(flat, (units, inputs)),
        RationalArray.from_rationals([Fraction(v) for v in bias], (units,)),
        RationalArray.from_rationals([Fraction(pair[0]) for pair in pairs], (units,)),
        RationalArray.from_rationals([Fraction(pair[1]) for pair in pairs], (units,)),
    )


def network(*layers: Layer, name: str = "example") -> Network:
    """A network from layers."""
    return Network(layers, name)


@dataclass(frozen=True, slots=True)
class Example:
    """A network, a domain and what is known about them.

    Attributes
    ----------
    count : int
        Number of activation regions.
    ranks : tuple of dict
        Rank histogram per layer, the output last.
    reason : str
        Why.
    """

    name: str
    network: Network
    space: Space
    count: int
    ranks: tuple[dict[int, int], ...]
    reason: str


def _line(*points: Number) -> Layer:
    """Units x - p on the line."""
    return layer([[1] for _ in points], [-Fraction(p) for p in points])


def _identity(n: int, slopes: Slopes = RELU) -> Layer:
    return layer([[int(i == j) for j in range(n)] for i in range(n)], [0] * n, slopes)


def _sum(n: int) -> Layer:
    return layer([[1] * n], [0], LINEAR)


_BOTH = layer([[1], [-1]], [0, 0])  # relu(x), relu(-x)
_TINY = Fraction(1, 2**40)
_UNIT_SQUARE = box([-1, -1], [1, 1])
_TRIANGLE = polytope([-1, 0, 0], [0, -1, 0], [1, 1, 1])

EXAMPLES: tuple[Example, ...] = (
    Example(
        "relu(x), relu(-x)",
        network(_BOTH),
        whole(),
        2,
        ({1: 2},),
        "SPEC 3: x = 0 has its own codeword (0, 0) but no interior",
    ),
    Example(
        "|x| as a sum",
        network(_BOTH, _sum(2)),
        box([-1], [1]),
        2,
        ({1: 2}, {1: 2}),
        "slopes -1 and 1",
    ),
    Example(
        "V-shape",
        network(
            layer([[1], [1]], [0, 10]),
            layer([[2, -1]], [9]),
        ),
        whole(),
        5,
        ({0: 1, 1: 4}, {0: 3, 1: 2}),
        "SPEC 5: g is 9, -x-1, -x-1, x-1, x-1 between the cuts -10, -1, 0, 1",
    ),
    Example(
        "half-plane fold with pass-through",
        network(
            layer([[1, 0], [0, 1], [0, -1]], [0, 0, 0], [LINEAR, RELU, RELU]),
            layer([[1, 0, 0], [0, 1, 1]], [0, 0], LINEAR),
        ),
        whole(),
        2,
        ({2: 2}, {2: 2}),
        "SPEC 4: (x, y) -> (x, |y|) has rank 2 on both half planes",
    ),
    Example(
        "half-plane fold in ReLUs only",
        network(
            layer([[1, 0], [-1, 0], [0, 1], [0, -1]], [0, 0, 0, 0]),
            layer([[1, -1, 0, 0], [0, 0, 1, 1]], [0, 0], LINEAR),
        ),
        whole(),
        4,
        ({2: 4}, {2: 4}),
        "x = relu(x) - relu(-x): the four quadrants",
    ),
    Example(
        "second layer cuts along the first layer's hyperplane",
        network(_BOTH, layer([[1, -1]], [0])),
        whole(),
        2,
        ({1: 2}, {0: 1, 1: 1}),
        "relu(x) - relu(-x) = x",
    ),
    Example(
        "touching from above at a wall between regions",
        network(_BOTH, layer([[1, 1], [-1, -1]], [0, 0])),
        whole(),
        2,
        ({1: 2}, {1: 2}),
        "|x| >= 0 with equality at x = 0 only: bits (1, 0) on both sides",
    ),
    Example(
        "identically zero on a region",
        network(_line(0), layer([[1], [-1]], [0, 0])),
        whole(),
        2,
        ({0: 1, 1: 1}, {0: 1, 1: 1}),
        "for x < 0 both units of layer 2 are identically zero: bits 0, nothing is split",
    ),
    Example(
        "zero rows",
        network(layer([[0, 0], [0, 0], [0, 0]], [0, 1, -1])),
        whole(),
        1,
        ({0: 1},),
        "constant pre-activations 0, 1, -1: codeword (0, 1, 0)",
    ),
    Example(
        "one hyperplane four times",
        network(layer([[1, 1], [1, 1], [3, 3], [-2, -2]], [-1, -1, -3, 2])),
        _UNIT_SQUARE,
        2,
        ({1: 2},),
        "x + y = 1 with both orientations: two regions that differ in four bits",
    ),
    Example(
        "parallel hyperplanes",
        network(layer([[1, 2], [2, 4], [-1, -2]], [0, -2, 2])),
        whole(),
        4,
        ({1: 4},),
        "x + 2y = 0, 1, 2: four strips, some unit active on each",
    ),
    Example(
        "three lines through a point",
        network(layer([[1, 0], [0, 1], [1, 1]], [0, 0, 0])),
        whole(),
        6,
        ({0: 1, 1: 2, 2: 3},),
        "2m sectors; in order of angle 2, 2, 2 or 3, 1, 0, 1 or 2 active units",
    ),
    Example(
        "three lines at gap 2^-40",
        network(layer([[1, 0], [0, 1], [1, 1]], [0, 0, -_TINY])),
        _UNIT_SQUARE,
        7,
        ({0: 1, 1: 2, 2: 4},),
        "general position: 1 + 3 + 3, the triangle has legs 2^-40",
    ),
    Example(
        "corner of the box touched",
        network(layer([[1, 1], [1, 0]], [-2, 1])),
        _UNIT_SQUARE,
        1,
        ({1: 1},),
        "x + y <= 2 with equality at a corner, x >= -1 with equality on a side",
    ),
    Example(
        "corner of the box cut",
        network(layer([[1, 1]], [_TINY - 2])),
        _UNIT_SQUARE,
        2,
        ({0: 1, 1: 1},),
        "a triangle with legs 2^-40",
    ),
    Example(
        "medians of a triangle",
        network(layer([[1, -1], [1, 2], [2, 1]], [0, -1, -1])),
        _TRIANGLE,
        6,
        ({0: 1, 1: 2, 2: 3},),
        "concurrent at (1/3, 1/3) and through the corners; active sets as for three lines",
    ),
    Example(
        "diagonals and midlines of a square",
        network(layer([[1, 1], [1, -1], [1, 0], [0, 1]], [0, 0, 0, 0])),
        _UNIT_SQUARE,
        8,
        ({0: 1, 1: 2, 2: 5},),
        "eight sectors; in order of angle 4, 3, 2, 1, 0, 1, 2 or 3 active units",
    ),
    Example(
        "domain with redundant, repeated and zero rows",
        network(_identity(2)),
        polytope([1, 0, 1], [2, 0, 2], [0, 0, 1], [0, 1, 5], [1, 1, 2], [0, 0, 0]),
        4,
        ({0: 1, 1: 2, 2: 1},),
        "x <= 1 and x + y <= 2, unbounded: it meets the four quadrants",
    ),
    Example(
        "half-plane with its own wall as a unit",
        network(_identity(2)),
        polytope([-1, 0, 0]),
        2,
        ({1: 1, 2: 1},),
        "on x >= 0 only y = 0 cuts",
    ),
    Example(
        "orthants of a box in five dimensions",
        network(_identity(5)),
        box([-1] * 5, [1] * 5),
        32,
        ({0: 1, 1: 5, 2: 10, 3: 10, 4: 5, 5: 1},),
        "rank = number of positive coordinates",
    ),
    Example(
        "box in one orthant",
        network(_identity(5)),
        box([0] * 5, [1] * 5),
        1,
        ({5: 1},),
        "every hyperplane touches the box in a facet",
    ),
    Example(
        "dead layer",
        network(
            _identity(2), layer([[-1, 0], [0, -1], [0, 0]], [0, -1, -1]), layer([[1, 1, 1]], [2])
        ),
        whole(),
        4,
        ({0: 1, 1: 2, 2: 1}, {0: 4}, {0: 4}),
        "h >= 0 makes all units of layer 2 non-positive; layer 3 is the constant 2",
    ),
    Example(
        "affine network",
        network(layer([[1, 2, 3], [2, 4, 6]], [1, 0], LINEAR)),
        whole(),
        1,
        ({1: 1},),
        "no hyperplane, no bit; the rows are proportional",
    ),
    Example(
        "unit with slopes 0 and 0",
        network(layer([[1], [1]], [0, 0], [(0, 0), RELU]), _sum(2)),
        whole(),
        2,
        ({0: 1, 1: 1}, {0: 1, 1: 1}),
        "equal slopes: no bit; and the unit contributes nothing to the rank",
    ),
    Example(
        "LeakyReLU quadrants",
        network(_identity(2, LEAKY), layer([[1, 1]], [0], LINEAR)),
        whole(),
        4,
        ({2: 4}, {1: 4}),
        "both slopes non-zero: the map of layer 1 is a homeomorphism",
    ),
    Example(
        "absolute values",
        network(layer([[1]], [0], ABS), layer([[1]], [-1], ABS)),
        whole(),
        4,
        ({1: 4}, {1: 4}),
        "||x| - 1| has kinks at -1, 0, 1",
    ),
    Example(
        "absolute value of a leaky unit",
        network(layer([[1]], [1], LEAKY), layer([[1]], [1], ABS)),
        whole(),
        3,
        ({1: 3}, {1: 3}),
        "leaky(x + 1) = -1 at x = -5, below the kink at -1",
    ),
    Example(
        "clip to [0, 1]",
        network(_line(0, 1), layer([[1, -1]], [0], LINEAR)),
        whole(),
        3,
        ({0: 1, 1: 2}, {0: 2, 1: 1}),
        "relu(x) - relu(x - 1) is 0, x, 1",
    ),
    Example(
        "maximum of two coordinates",
        network(
            layer([[1, -1], [0, 1]], [0, 0], [RELU, LINEAR]),
            layer([[1, 1]], [0], LINEAR),
        ),
        whole(),
        2,
        ({1: 1, 2: 1}, {1: 2}),
        "max(x, y) = y + relu(x - y)",
    ),
    Example(
        "weights scaled by 2^200 and 2^-200",
        network(layer([[2**200, 0], [0, Fraction(1, 2**200)]], [0, 0])),
        whole(),
        4,
        ({0: 1, 1: 2, 2: 1},),
        "positive scaling changes nothing",
    ),
    Example(
        "far apart",
        network(layer([[1], [1], [1]], [-(2**200), 2**200, 0])),
        whole(),
        4,
        ({0: 1, 1: 3},),
        "cuts at -2^200, 0, 2^200",
    ),
    Example(
        "three cuts within 2e-15",
        network(_line(0, 1e-15, 2e-15)),
        box([-1], [1]),
        4,
        ({0: 1, 1: 3},),
        "distinct numbers cut the line into one more piece",
    ),
    Example(
        "one third",
        network(layer([[3], [1]], [-1, -Fraction(1, 3)]), layer([[1, -3]], [0])),
        whole(),
        2,
        ({0: 1, 1: 1}, {0: 2}),
        "both cuts are 1/3 exactly; relu(3x - 1) - 3 relu(x - 1/3) is identically zero",
    ),
    Example(
        "nearly one third",
        network(layer([[3], [1]], [-1, -1 / 3])),
        whole(),
        3,
        ({0: 1, 1: 2},),
        "the float64 1/3 is below 1/3",
    ),
    Example(
        "output with a ReLU",
        network(_line(0), layer([[1]], [-1])),
        whole(),
        3,
        ({0: 1, 1: 2}, {0: 2, 1: 1}),
        "relu(relu(x) - 1): the output cuts at 1",
    ),
    Example(
        "a sliver between two regions",
        network(layer([[1, 0], [1, 0]], [0, -_TINY]), _sum(2)),
        box([-1, -1], [1, 1]),
        3,
        ({0: 1, 1: 2}, {0: 1, 1: 2}),
        "0 < x < 2^-40",
    ),
    Example(
        "braid of three",
        network(layer([[1, -1, 0], [1, 0, -1], [0, 1, -1]], [0, 0, 0])),
        whole(),
        6,
        ({0: 1, 1: 2, 2: 3},),
        "orderings of three numbers; x - z = (x - y) + (y - z), so rank 2 from two active units on",
    ),
)
