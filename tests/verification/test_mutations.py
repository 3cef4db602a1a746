"""Verdicts and statements with proofs, changed in every field, number and line: what is accepted
is what was stated before, is named as not verified, or is true by brute force.

For each kind of property there are directories as ``verify -o --proof`` writes them, and the same
with a false claim put in: of these no change of the proof is accepted.
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from fractions import Fraction
from functools import partial
from math import nextafter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from flint import fmpq

import polyrank as pr
from polyrank.errors import PolyrankError
from polyrank.polyhedra.dnf import Inequality
from polyrank.polyhedra.violation import (
    OutputRow,
    Question,
    specification_of,
    violation_of,
    within,
)
from polyrank.polyhedra.vnnlib import parse_vnnlib
from polyrank.proof.function import check_function
from polyrank.proof.verdict import check_verdict
from polyrank.regions.manifest import network_entry
from polyrank.verification.gradients import lipschitz, monotone
from polyrank.verification.pair import greatest_difference, same_function
from polyrank.verification.properties import argmax_constant, output_bounds
from tests.proof.runs import Copy
from tests.proof.test_mutations import MUTATIONS
from tests.verification.claims import is_true

Mutation = Callable[[Copy], Any]

# ---------------------------------------------------------------------------------------------
# subjects

SQUARE = pr.Box(-1, 1)
TRIANGLE = pr.Polytope([[1, 1], [-1, 0], [0, -1]], [1, "1/3", "1/3"])


def _network(*layers: tuple[list[list[float]], list[float]]) -> pr.Network:
    return pr.Network.from_arrays([w for w, _ in layers], [b for _, b in layers])


#: (x⁺ + y⁺ + (x + y − 1)⁺, x⁺ − y⁺): J = ((2, 2), (1, −1)) where all are active.
NET = _network(
    ([[1, 0], [0, 1], [1, 1]], [0, 0, -1]),
    ([[1, 1, 1], [1, -1, 0]], [0, 0]),
)
#: The same function by other weights, one layer more.
SAME = _network(
    ([[2, 0], [0, 4], [1, 1]], [0, 0, -1]),
    ([[0.5, 0.25, 1], [0.5, -0.25, 0], [-0.5, 0.25, 0]], [0, 0, 0]),
    ([[1, 0, 0], [0, 1, -1]], [0, 0]),
)
#: x⁺ is (x − 1/4)⁺: at most 1/4 from it, and there in both outputs.
SHIFTED = _network(
    ([[1, 0], [0, 1], [1, 1]], [-0.25, 0, -1]),
    ([[1, 1, 1], [1, -1, 0]], [0, 0]),
)
#: |x − y| and 1 − |x − y|.
FOLDED = _network(([[1, -1], [-1, 1]], [0, 0]), ([[1, 1], [-1, -1]], [0, 1]))
DEEP = _network(
    ([[1, 0.5], [-0.75, 1], [0.5, -1]], [0.25, 0, -0.125]),
    ([[1, -1, 0.5], [-0.5, 1, 1]], [0.125, -0.25]),
    ([[1, -0.5], [-1, 1]], [0, 0.5]),
)

OLD = """(declare-const X_0 Real)(declare-const X_1 Real)(declare-const Y_0 Real)
(declare-const Y_1 Real)
(assert (or
  (and (>= X_0 -1) (<= X_0 0.5) (>= X_1 -1) (<= X_1 0.25))
  (and (>= X_0 0.5) (<= X_0 1) (>= X_1 0) (<= X_1 1) (<= (+ X_0 X_1) 1.5))))
(assert (or (and (>= Y_0 {0}) (<= Y_1 1)) (<= Y_1 -2) (and (<= Y_0 -0.25) (>= Y_1 -2))))
"""
NEW = """(vnnlib-version <2.0>)
(declare-network f (declare-input X real [2]) (declare-output Y real [2]))
(assert (and (>= X[0] -1) ({0} X[0] 1) (>= X[1] -1) ({0} X[1] 1)))
(assert (or (>= Y[0] 2) (and (> Y[1] 1) (<= Y[0] 3))))
"""


def _above(output: int, bound: str, *, strict: bool) -> tuple[OutputRow, ...]:
    return (OutputRow(((output, fmpq(-1)),), -_rational(bound), strict),)


def _rational(text: str) -> fmpq:
    value = Fraction(text)
    return fmpq(value.numerator, value.denominator)


def _asked(domain: Any, *disjuncts: tuple[OutputRow, ...], strict: Any = ()) -> Any:
    return specification_of("asked", 2, 2, (Question(domain, disjuncts, strict),))


def _text(text: str, network: pr.Network, out: Path, domain: Any = None) -> Any:
    file = out.with_suffix(".vnnlib")
    file.write_text(text)
    return pr.verify(network, file, domain, out=out, proof=True, jobs=1)


def _verify(network: pr.Network, property_: Any, out: Path) -> Any:
    return pr.verify(network, property_, out=out, proof=True, jobs=1)


#: The two open walls x < 1, y < 1, where |x − y| = 2 is attained.
OPEN = tuple(Inequality(((l, fmpq(1)),), fmpq(1), strict=True) for l in range(2))
KEEP: dict[str, Any] = {"proof": True, "jobs": 1}

SUBJECTS: dict[str, Callable[[Path], Any]] = {
    "VNN-LIB 1 holds": lambda out: _text(OLD.format(3), NET, out),
    "VNN-LIB 1 violated": lambda out: _text(OLD.format(2), NET, out),
    "VNN-LIB 1 within": lambda out: _text(OLD.format(2), NET, out, pr.Box(-1, "3/8")),
    "VNN-LIB 2 holds": lambda out: _text(NEW.format("<"), FOLDED, out),
    "VNN-LIB 2 violated": lambda out: _text(NEW.format("<="), FOLDED, out),
    "not strict": lambda out: _verify(
        FOLDED, _asked(SQUARE, _above(0, "2", strict=True), _above(1, "1", strict=True)), out
    ),
    "strict": lambda out: _verify(
        FOLDED, _asked(SQUARE, _above(0, "2", strict=False), strict=OPEN), out
    ),
    "rows of a polytope": lambda out: _verify(
        FOLDED,
        _asked(
            TRIANGLE,
            (
                OutputRow(((0, fmpq(1)),), fmpq(1, 3)),
                OutputRow(((1, fmpq(1)),), fmpq(2, 3), strict=True),
            ),
        ),
        out,
    ),
    "empty": lambda out: _verify(
        FOLDED, _asked(pr.Polytope([[1, 0], [-1, 0]], [0, -1]), _above(0, "0", strict=False)), out
    ),
    "whole space": lambda out: _verify(
        FOLDED, _asked(pr.WholeSpace(), _above(1, "1", strict=True)), out
    ),
    "bounds hold": lambda out: _verify(
        DEEP, output_bounds(DEEP, SQUARE, lower="-2", upper="2"), out
    ),
    "bounds violated": lambda out: _verify(DEEP, output_bounds(DEEP, SQUARE, upper="1/2"), out),
    "argmax holds": lambda out: _verify(NET, argmax_constant(NET, pr.Box("1/2", 2), 0), out),
    "argmax violated": lambda out: _verify(NET, argmax_constant(NET, pr.Box(-1, 2), 0), out),
    "increasing": lambda out: monotone(NET, SQUARE, input_=0, output=1, out=out, **KEEP),
    "not increasing": lambda out: monotone(NET, SQUARE, input_=1, output=1, out=out, **KEEP),
    "decreasing": lambda out: monotone(
        NET, TRIANGLE, input_=1, output=1, increasing=False, out=out, **KEEP
    ),
    "Lipschitz 1": lambda out: lipschitz(NET, SQUARE, "1", out=out, **KEEP),
    "Lipschitz 2": lambda out: lipschitz(NET, SQUARE, "2", out=out, **KEEP),
    "Lipschitz inf": lambda out: lipschitz(NET, SQUARE, "inf", out=out, **KEEP),
    "equal": lambda out: same_function(NET, SAME, SQUARE, out=out, **KEEP),
    "not equal": lambda out: same_function(NET, SHIFTED, SQUARE, out=out, **KEEP),
    "difference": lambda out: greatest_difference(NET, SHIFTED, SQUARE, out=out, **KEEP),
}

# ---------------------------------------------------------------------------------------------
# what is changed


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths to everything in nested mappings and lists."""
    if path:
        yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from _places(value[key], (*path, key))


_WORDS = ("holds", "violated", "unknown", "certified", "yes", "no", "1", "2", "inf")
_KINDS = ("monotone", "lipschitz", "equal", "difference")


def _others(value: Any) -> list[Any]:
    """Values near another one, of its kind, and of others."""
    if value is None:
        return [[], "0", {}]
    if isinstance(value, bool):
        return [not value, int(value), str(value)]
    if isinstance(value, int):
        return [value + 1, value - 1, -value, 10**30, float(value), str(value), [value]]
    if isinstance(value, float):
        return [value + 1, str(value)]
    if isinstance(value, list):
        twice = [*value, *value[-1:]]
        return [each for each in ([], value[1:], value[:-1], value[::-1], twice) if each != value]
    if isinstance(value, dict):
        return [{}, {**value, "more": 1}, None]
    return [v for v in _other_texts(value) if v != value]


def _other_texts(text: str) -> list[Any]:
    if text in _WORDS:
        return [*_WORDS, text.upper(), None, True]
    if text in _KINDS:
        return [*_KINDS, None]
    if "0x" in text:
        value = float.fromhex(text)
        near = [
            nextafter(value, 9),
            nextafter(value, -9),
            value + 1,
            value - 1,
            -value,
            float("inf"),
        ]
        return [v.hex() for v in near]
    if re.fullmatch(r"-?\d+(/\d+)?", text):
        value = Fraction(text)
        steps = [1, Fraction(1, 8), Fraction(1, 10**3), Fraction(1, 2**80)]
        near = [value + sign * step for step in steps for sign in (1, -1)]
        return [
            *map(str, (*near, -value, 2 * value)),
            f"{2 * value.numerator}/{2 * value.denominator}",
        ]
    return [text + "0", text[1:], text[::-1], "", None]


def _put(stated: Any, path: tuple[Any, ...], value: Any) -> None:
    for key in path[:-1]:
        stated = stated[key]
    stated[path[-1]] = value


def _without(stated: Any, path: tuple[Any, ...]) -> None:
    for key in path[:-1]:
        stated = stated[key]
    del stated[path[-1]]


def _fields(copy: Copy) -> Iterator[Mutation]:
    """Every field of the statement: other values, or none; two that state one thing together."""
    stated = copy.manifest
    for path in _places(stated):
        place = stated
        for key in path:
            place = place[key]
        for value in _others(place):
            yield lambda c, path=path, value=value: c.edit(lambda s: _put(s, path, value))
        yield lambda c, path=path: c.edit(lambda s: _without(s, path))
    # the domain of a question is stated twice
    for number, question in enumerate(stated.get("property", {}).get("questions", ())):
        for path in _places(question["domain"]):
            place = question["domain"]
            for key in path:
                place = place[key]
            for value in _others(place):
                yield partial(_with_domain, number=number, path=path, value=value)


def _with_domain(copy: Copy, number: int, path: tuple[Any, ...], value: Any) -> None:
    for stated in (("property", "questions", number), ("questions", number)):
        copy.edit(lambda s, at=stated: _put(s, (*at, "domain", *path), value))


_TOKEN = re.compile(
    r"-?\d+(?:\.\d+)?|<=|>=|<|>|\band\b|\bor\b|[XY](?:_\d|\[\d\])|[^\s()]+|[()]|\s+"
)
_TURNED = {
    "<=": ["<", ">=", "=="], ">=": [">", "<="], "<": ["<=", ">"], ">": [">=", "<"],
    "and": ["or"], "or": ["and"],
}  # fmt: skip


def _texts(text: str) -> Iterator[str]:
    """The text of a property with another number, relation, variable or one line less."""
    tokens = _TOKEN.findall(text)
    assert "".join(tokens) == text
    for i, token in enumerate(tokens):
        others = _TURNED.get(token, [])
        if re.fullmatch(r"-?\d+(\.\d+)?", token):
            others = [f"{float(token) + step:g}" for step in (1, -1, 0.125, -1e-5)]
        elif token[0] in "XY" and re.search(r"\d", token):
            others = [token.translate(str.maketrans("XY01", change)) for change in ("YX01", "XY10")]
        for other in others:
            yield "".join([*tokens[:i], other, *tokens[i + 1 :]])
    lines = text.splitlines(keepends=True)
    yield from ("".join(lines[:i] + lines[i + 1 :]) for i in range(len(lines)))


def _with_text(copy: Copy, text: str, *, honest: bool) -> None:
    """Another text of the property; honest: with the questions that follow from it."""
    (copy.path / "property.vnnlib").write_text(text)
    if not honest:
        return
    found = violation_of(parse_vnnlib(text, copy.manifest["property"]["name"]))
    if (inside := copy.manifest["property"]["within"]) is not None:
        found = within(found, pr.Box(inside["lower"], inside["upper"]))
    stated = found.describe()
    copy.edit(lambda s: s["property"].update(stated))
    if len(stated["questions"]) == len(copy.manifest["questions"]):
        for n, question in enumerate(stated["questions"]):
            copy.edit(lambda s, n=n, q=question: s["questions"][n].update(domain=q["domain"]))


def _property(copy: Copy) -> Iterator[Mutation]:
    """The property's text, alone or with the questions that follow from it."""
    file = copy.path / "property.vnnlib"
    if file.is_file():
        for text in _texts(file.read_text()):
            for honest in (False, True):
                yield lambda c, t=text, honest=honest: _with_text(c, t, honest=honest)


def _read(file: Path) -> bytes:
    with pa.CompressedInputStream(pa.OSFile(str(file)), "zstd") as stream:
        return bytes(stream.read())


def _write(file: Path, data: bytes) -> None:
    with pa.CompressedOutputStream(pa.OSFile(str(file), "wb"), "zstd") as stream:
        stream.write(data)


def _trees(copy: Copy) -> Iterator[Mutation]:
    """Every number of the trees, and every part of the exact steps."""
    for file in sorted(copy.path.glob("tree-*")):
        data = _read(file)
        start = data.index(b"\n") + 1
        changed = [data[:start] + b"\0\0" + data[start:], data[:-2], data + b"\0\0", data[:start]]
        for i in range(start, len(data) - 1, 2):
            word = int.from_bytes(data[i : i + 2], "little")
            others = {0, 1, 2, 3, word ^ 1, (word + 1) % 65536, word ^ 0x8000, 65535} - {word}
            new_words = [b"", *(other.to_bytes(2, "little") for other in sorted(others))]
            changed += [data[:i] + new_word + data[i + 2 :] for new_word in new_words]
        for new in changed:
            yield lambda c, name=file.name, new=new: _write(c.path / name, new)
    for file in sorted(copy.path.glob("exact-*")):
        steps = [json.loads(line) for line in _read(file).splitlines()]
        for path in _places(steps):
            place: Any = steps
            for key in path:
                place = place[key]
            for value in _others(place):
                new_steps = json.loads(json.dumps(steps))
                _put(new_steps, path, value)
                lines = b"".join(json.dumps(line).encode() + b"\n" for line in new_steps)
                yield lambda c, name=file.name, lines=lines: _write(c.path / name, lines)


def _second(copy: Copy) -> Iterator[Mutation]:
    """Numbers of the second network, with the right hash or another."""
    file = copy.path / "second.json"
    if not file.is_file():
        return

    def put(c: Copy, path: tuple[Any, ...], value: Any, *, honest: bool) -> None:
        stored = json.loads((c.path / "second.json").read_text())
        _put(stored, path, value)
        (c.path / "second.json").write_text(json.dumps(stored))
        if honest:
            digest = pr.load(c.path / "second.json").sha256
            c.edit(lambda s: s["second"]["network"].update(hash=digest))

    stored = json.loads(file.read_text())
    for path in _places(stored):
        place = stored
        for key in path:
            place = place[key]
        if isinstance(place, float):
            for value in (place + 1, -place, place + 2.0**-30):
                for honest in (False, True):
                    yield lambda c, p=path, v=value, h=honest: put(c, p, v, honest=h)


def _files(copy: Copy) -> Iterator[Mutation]:
    """Each file is missing, or empty."""
    for file in sorted(p for p in copy.path.rglob("*") if p.is_file()):
        name = file.relative_to(copy.path)
        yield lambda c, name=name: (c.path / name).unlink()
        yield lambda c, name=name: (c.path / name).write_bytes(b"")


def _by_dice(copy: Copy, dice: random.Random) -> Iterator[Mutation]:
    """Mutations of networks, and of runs where there is one."""
    for name in ("alter_weight", "alter_slope", "alter_slope_size", "alter_hash"):
        for _ in range(12):
            yield lambda c, name=name: MUTATIONS[name][1](c, dice)
    if not (copy.path / "regions").is_dir():
        return
    for weight, change in MUTATIONS.values():
        for _ in range(max(2, weight // 2)):
            yield lambda c, change=change: change(
                Copy(c.path / "regions", c.path / "regions"), dice
            )


def _all(copy: Copy, dice: random.Random, *, claims: bool = True) -> list[tuple[str, Mutation]]:
    """All mutations by kind; without those of what is claimed, if so asked."""
    kinds = {"trees": _trees(copy), "files": _files(copy), "dice": _by_dice(copy, dice)}
    if claims:
        kinds |= {"fields": _fields(copy), "text": _property(copy), "second": _second(copy)}
    below = copy.path / "verdict"
    if below.is_dir():
        inner = _all(Copy(below, below, "verdict.json"), dice)
        kinds["verdict"] = iter(
            [
                lambda c, change=change: change(
                    Copy(c.path / "verdict", c.path / "verdict", "verdict.json")
                )
                for _, change in inner
            ]
        )
    return [(kind, change) for kind, changes in kinds.items() for change in changes]


# ---------------------------------------------------------------------------------------------
# the experiment


#: Of a change of something that is not there.
_NOT_APPLICABLE = (
    KeyError, IndexError, ValueError, TypeError, AssertionError, AttributeError, PolyrankError
)  # fmt: skip


def _statement(path: Path) -> str:
    return "verdict.json" if (path / "verdict.json").is_file() else "function.json"


def _checked(path: Path) -> Any:
    return (check_verdict if _statement(path) == "verdict.json" else check_function)(path)


def _made(name: str, folder: Path) -> Copy:
    SUBJECTS[name](folder / "original")
    assert not _checked(folder / "original").doubt
    return Copy(folder / "original", folder / "original", _statement(folder / "original"))


def _verified(copy: Copy, unverified: tuple[str, ...]) -> Any:
    """What is stated, without what is named as not verified."""
    stated = copy.manifest
    for name in unverified:
        field, *key = name.split(".", 1)
        if field == "second" and key:
            outer, inner = key[0].split(".", 1) if "." in key[0] else (key[0], None)
            parts = [stated["second"].get(outer)] if inner else [stated["second"]]
            key = [inner or outer]
        elif key:
            parts = stated[field] if isinstance(stated[field], list) else [stated[field]]
        else:
            parts, key = [stated], [field]
        for part in parts:
            if isinstance(part, dict):
                part.pop(key[0], None)
    return stated


def _experiment(name: str, folder: Path, *, every: int) -> Counter[tuple[str, str]]:
    """One in ``every`` mutations of a subject, and the outcome."""
    original = _made(name, folder)
    dice = random.Random(name)
    before = _verified(original, _checked(original.path).unverified)
    outcome: Counter[tuple[str, str]] = Counter()
    assert is_true(original.path)
    for number, (kind, change) in enumerate(_all(original, dice)):
        if number % every:
            continue
        copy = Copy(original.path, folder / "mutant", original.statement.name)
        try:
            change(copy)
        except _NOT_APPLICABLE:
            outcome[kind, "not applicable"] += 1  # a change of a kind of run that this is not
            continue
        try:
            report = _checked(copy.path)
        except PolyrankError:
            outcome[kind, "rejected"] += 1
            continue
        if report.doubt:
            outcome[kind, "not decided"] += 1
        elif _verified(copy, report.unverified) == before:
            outcome[kind, "equivalent"] += 1
        else:
            assert is_true(copy.path), f"{name}, {kind} {number}: a false claim is accepted"
            outcome[kind, "true"] += 1
    return outcome


def _set(*path_and_value: Any) -> Mutation:
    *path, value = path_and_value
    return lambda copy: copy.edit(lambda s: _put(s, tuple(path), value))


def _bound(disjunct: int, bound: str) -> Mutation:
    return _set("property", "questions", 0, "disjuncts", disjunct, 0, "bound", bound)


def _wider(copy: Copy) -> None:
    """The domain of the only question is [−1, 2]², wherever it is stated."""
    domain = pr.Box(-1, 2).describe()
    for stated in (("property", "questions", 0), ("questions", 0)):
        _set(*stated, "domain", domain)(copy)
    for side, value in (("low", -1.0), ("high", 2.0)):
        _set("questions", 0, side, [value.hex()] * 2)(copy)


def _another_second(copy: Copy) -> None:
    pr.save(SHIFTED, copy.path / "second.json", overwrite=True)
    _set("second", "network", network_entry(SHIFTED))(copy)


def _smaller_difference(copy: Copy) -> None:
    _set("value", "1/8")(copy)
    _set("x", ["1/8", "0"])(copy)


LITTLE = Fraction(1, 2**60)
#: A claim that the proof does not prove, put in wherever it is stated.
FALSE: list[tuple[str, Mutation]] = [
    ("VNN-LIB 1 holds", lambda copy: _with_text(copy, OLD.format("1.7"), honest=True)),
    ("VNN-LIB 1 within", lambda copy: _with_text(copy, OLD.format(0), honest=True)),
    ("VNN-LIB 2 holds", lambda copy: _with_text(copy, NEW.format("<="), honest=True)),
    ("not strict", _bound(0, str(LITTLE - 2))),
    ("not strict", _bound(1, str(LITTLE - 1))),
    ("strict", _set("property", "questions", 0, "strict", [])),
    ("strict", _bound(0, str(LITTLE - 2))),
    ("rows of a polytope", _bound(0, str(Fraction(1, 3) + LITTLE))),
    ("whole space", _bound(0, str(LITTLE - 1))),
    ("bounds hold", _bound(1, "-1/2")),
    ("argmax holds", _wider),
    ("increasing", _set("claim", "input", 1)),
    ("increasing", _set("claim", "increasing", False)),
    ("decreasing", _set("claim", "output", 0)),
    ("Lipschitz 1", _set("upper", str(3 - LITTLE))),
    ("Lipschitz 2", _set("upper", str(8 - LITTLE))),
    ("Lipschitz inf", _set("lower", str(4 + LITTLE))),
    ("equal", _another_second),
    ("difference", _smaller_difference),
]


@pytest.mark.parametrize(
    ("name", "change"), FALSE, ids=[f"{i}: {name}" for i, (name, _) in enumerate(FALSE)]
)
def test_no_proof_of_a_false_claim_is_accepted(name, change, tmp_path):
    """Whatever is changed in the proof."""
    original = _made(name, tmp_path)
    change(original)
    assert not is_true(original.path)
    dice = random.Random(name)
    mutations = [lambda copy: None, *(m for _, m in _all(original, dice, claims=False))]
    for number, mutation in enumerate(mutations):
        if number % 7:
            continue
        copy = Copy(original.path, tmp_path / "mutant", original.statement.name)
        with suppress(*_NOT_APPLICABLE):
            mutation(copy)
        with suppress(PolyrankError):
            accepted = not _checked(copy.path).doubt
            # a change of the network may make it true
            assert not accepted or is_true(copy.path), f"{name}, {number}: accepted"


@pytest.mark.parametrize("name", SUBJECTS)
def test_what_is_accepted_is_true(name, tmp_path):
    outcome = _experiment(name, tmp_path, every=23)
    assert outcome["fields", "rejected"] > 4


@pytest.mark.slow
@pytest.mark.parametrize("name", SUBJECTS)
def test_every_mutation(name, tmp_path):
    outcome = _experiment(name, tmp_path, every=1)
    sys.stdout.write(f"{name}: {dict(outcome)}\n")
    assert outcome["fields", "rejected"] > 100
