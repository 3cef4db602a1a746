"""Every option of every verb is used at least once, and the verb answers.

:func:`_calls` lists calls by verb; a word in capitals is a file that :func:`place` makes. A new
option that stands in no call fails the first test.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import typer

from polyrank_cli.main import app
from tests.cli.conftest import Outcome

_HERE = Path(__file__).parent
#: Used by a test of its own, in the file named: it takes other processes, or one that is stopped.
_ELSEWHERE = {
    ("verify", "--resume"): "test_verify.py",
}

_BOX = ["--box", "-1", "1"]
_QUIET = ["--json", "-q"]
_DOMAINS = [
    ["NET", *_BOX],
    ["NET", "--box-file", "BOX"],
    ["NET", "--vnnlib", "PROPERTY", "--case", "1"],
    ["NET", "--polytope", "POLYTOPE"],
    ["NET", "--slice", "SLICE", *_BOX],
    ["NNET", "--input-range"],
]
_READINGS = [
    ["NET", "--output-relu", "--activation", "leaky_relu", "--slope", "1/10"],
    ["NET", "--cut-final"],
    ["NNET", "--raw"],
    ["NNET", "--folded"],
    ["PARTS", "--part", "actor"],
]
_MANIFOLDS = [
    ["NET", "CLOUD", "--alpha", "2"],
    ["NET", "CLOUD", "--rips", "2", "--max-dimension", "2"],
    ["NET", "MESH", "--merge-points"],
    ["NET", "CLOUD", "--rips", "2", "--labels", "LABELS", "--class", "0", "--class", "1"],
]

#: Calls of a verb beside those that come from its groups of options.
_OWN: dict[str, list[list[str]]] = {
    "enumerate": [
        ["NET", *_BOX, "-o", "OUT", "--proof", "--graph", "--jobs", "1", "--force", *_QUIET],
        ["NET", *_BOX, "--engine", "dictionary", "--through-layer", "1", "--yes"],
        ["NET", *_BOX, "--time", "60", "--max-regions", "99", "--max-memory", "4GB"],
        ["NET", *_BOX, "-o", "OUT", "--force", "--max-disk", "1GB"],
        ["NET", *_BOX, "--estimate"],
        ["--resume", "PARTIAL"],
        ["NET", *_BOX, "--cluster", "local:1"],
    ],
    "count": [
        ["NET", "--engine", "vertices", "--no-cross-check", "--jobs", "1", *_QUIET],
        ["NET", "--through-layer", "1", "--cross-check", "--no-ranks"],
        ["NET", "--ranks", "--time", "60", "--max-regions", "99", "--max-memory", "4GB"],
    ],
    "complex": [
        ["NET", *_BOX, "--level", "1/3", "--of", "0", "--coefficients", "Q", "--volumes"],
        ["NET", *_BOX, "--boundary", "0,1", "--mesh", "OUT.obj", "--picture", "OUT.svg"],
        ["NET", *_BOX, "-o", "OUT", "--jobs", "1", "--force", *_QUIET],
    ],
    "info": [["NET", "--json"]],
    "summary": [["RUN", "--below", "1", *_QUIET]],
    "graph": [
        ["RUN", "--network", "NET", "--export", "OUT.csv", "--force", *_QUIET],
        ["RUN", "--linear-regions", "1", "--jobs", "1"],
    ],
    "low-rank": [["RUN", "--below", "1", "--layer", "1", "--nearest", "0,0", *_QUIET]],
    "minrank": [
        ["NET", "--layer", "1", "--below", "1", "--limit", "9", "--time", "60", *_BOX],
        ["NET", "--milp", "--jobs", "1", *_QUIET],
        ["NET", "--no-milp", "--deep", "--seed", "1"],
        ["NET", "--greatest"],
        ["NET", "-o", "OUT", "--force"],
        ["NET", "--resume", "OUT"],
    ],
    "ensemble": [
        [
            *("--arch", "2-3-1", "--init", "he", "--bias", "zero", "--flip", "1", "--seeds", "2"),
            *("--layer", "1", "--measure", "minrank,regions", "--time", "9", "--max-regions", "99"),
            *("--jobs", "1", "-o", "OUT.parquet", "--force", *_QUIET, *_BOX),
        ],
        ["--arch", "2-3-1", "--seeds", "2", "-o", "NEW.parquet"],
        ["--arch", "2-3-1", "--seeds", "2", "-o", "NEW.parquet", "--resume"],
    ],
    "bounds": [["2-3-3", "--bias", "--json"], ["2-3-3", "--no-bias"]],
    "verify": [
        ["NET", "PROPERTY", "-o", "OUT", "--proof", "--time", "60", "--jobs", "1", "--force"],
        ["NET", "PROPERTY", "-o", "FRESH", *_QUIET],
        ["NET", *_BOX, "--argmax", "0"],
        ["NET", "--box-file", "BOX", "--lower", "-99", "--upper", "99"],
        ["NET", "--polytope", "POLYTOPE", "--monotone", "0", "--of", "0"],
        ["NET", "--slice", "SLICE", *_BOX, "--lipschitz", "inf"],
        ["NNET", "--input-range", "--equal", "NNET"],
        ["NET", *_BOX, "--difference", "NET"],
    ],
    "region": [["RUN", "0", "--json"]],
    "plot": [
        ["RUN", "-o", "OUT.svg", "--colour", "rank", "--layer", "1", "--below", "1"],
        ["RUN", "-o", "OUT.svg", "--color", "linear-region", "--points", "POINTS", "-q"],
        ["RUN", "-o", "OUT.svg", "--window", "-1", "1", "-1", "1"],
        ["RUN", "-o", "OUT.svg", "--graph"],
    ],
    "report": [
        ["RUN", "-o", "OUT.html", "--network", "NET", "--layer", "1", "--below", "1", "-q"],
        ["RUN", "-o", "OUT.html", "--images", "IMAGES"],
    ],
    "sample": [
        ["NET", "--points", "POINTS", "--ties", "inactive", "--jobs", "1"],
        ["NET", "--normal", "9", "--scale", "2", "--seed", "1", "--arithmetic", "float32"],
        ["NET", "--uniform", "9", *_BOX, "--run", "RUN", "--numerical", "3", *_QUIET],
        ["NET", "--uniform", "9", "--run", "RUN", "--below", "1"],
        ["NET", "--normal", "9", "-o", "OUT", "--per-point", "--picture", "OUT.svg", "--force"],
        ["PIXELS", "--mnist", "MNIST"],
    ],
    "at": [
        ["NET", "0.3,0.2", "--layer", "1", "--budget", "5", "--time", "9", *_QUIET],
        ["NET", "POINTS", "--row", "1"],
    ],
    "slice": [
        ["NET", "0,1,2", "--points", "POINTS", "--extended", "--jobs", "1", *_QUIET],
        ["NET", "0,1", "--points", "POINTS", "--ambient", "--through-layer", "1"],
        ["NET", "0,1", "--points", "POINTS", "--no-ambient", "-o", "OUT", "--proof", "--force"],
        ["PIXELS", "0,1", "--mnist", "MNIST"],
    ],
    "restrict": [
        ["NET", "circle:8", "-o", "OUT", "--force", "--through-layer", "1", "--jobs", "1"],
        ["NET", "circle:8", "--below", "1", "--low-rank", "all", "--ambient", *_QUIET],
    ],
    "separate": [
        ["NET", "concentric-circles:8", "--layer", "1", "--classes", "components", "--time", "9"],
        ["NET", "concentric-circles:8", "--linking", "-o", "OUT", "--force", *_QUIET],
        ["NET", "concentric-circles:8", "--no-linking", "--class", "0", "--class", "1"],
    ],
    "homology": [
        ["NET", "circle:8", "--layer", "1", "--below", "1", "--coefficients", "2", "--in-turn"],
        ["NET", "circle:8", "--cells", *_QUIET, "--image-time", "9", "--jobs", "1"],
        ["NET", "circle:8", "--picture", "OUT.svg", "--low-rank", "collapsing", "--ambient"],
    ],
    "homeomorphism": [
        ["NET", "circle:8", "--layer", "1", "--all", "--time", "9", *_QUIET],
        ["NET", "circle:8", "-o", "OUT", "--force"],
        ["NET", *_BOX],
        ["NET", "--whole-space", "--layer", "1"],
    ],
    "image": [
        ["NET", "circle:8", "--layer", "1", "--coefficients", "Q", "--way", "both"],
        ["NET", "circle:8", "--barcode", "--time", "9", *_QUIET],
        ["NET", "circle:8", "-o", "OUT", "--force", "--picture", "OUT.svg"],
        ["NET", "circle:8", "--resume", "NEW"],
        ["NET", "circle:8", "--scale", "0.1"],
    ],
    "check": [
        ["RUN", "--network", "NET", "--exact", "--jobs", "1", *_QUIET],
        ["RUN", "--sample", "1", "--seed", "1"],
        ["VERDICT", "--export", "OUT.alethe"],
    ],
    "convert": [["NET", "OUT.json", "--force"]],
}
#: Where the network or the run of a group's call stands.
_DOMAIN_VERBS = {
    "enumerate": ["FILE"],
    "count": ["FILE"],
    "complex": ["FILE"],
    "minrank": ["FILE"],
    "ensemble": ["FILE", "-o", "OUT.parquet", "--force"],
    "sample": ["FILE", "--uniform", "5"],
    "at": ["FILE", "0.25,0.125"],
}
_READING_VERBS = {
    "enumerate": ["FILE", *_BOX],
    "count": ["FILE", *_BOX],
    "complex": ["FILE", *_BOX],
    "info": ["FILE"],
    "minrank": ["FILE", *_BOX],
    "ensemble": ["FILE", *_BOX, "-o", "OUT.parquet", "--force"],
    "verify": ["FILE", *_BOX, "--upper", "99"],
    "sample": ["FILE", "--normal", "5"],
    "at": ["FILE", "0.25,0.125"],
    "slice": ["FILE", "0,1", "--points", "POINTS"],
    "restrict": ["FILE", "circle:8"],
    "separate": ["FILE", "concentric-circles:8"],
    "homology": ["FILE", "circle:8"],
    "homeomorphism": ["FILE", "circle:8"],
    "image": ["FILE", "circle:8"],
    "convert": ["FILE", "OUT.json", "--force"],
}
_OF_RUNS = {"graph": [], "report": ["-o", "OUT.html"]}
_MANIFOLD_VERBS = ("restrict", "separate", "homology", "homeomorphism", "image")


def _calls(verb: str) -> Iterator[list[str]]:
    """The calls of a verb, without its name."""
    yield from _OWN[verb]
    for groups, bases in ((_DOMAINS, _DOMAIN_VERBS), (_READINGS, _READING_VERBS)):
        if verb in bases:
            for file, *options in groups:
                yield [file if word == "FILE" else word for word in bases[verb]] + options
    if verb in _OF_RUNS:  # of a run that was made with the same options
        for number, (file, *options) in enumerate(_READINGS):
            yield [f"RUN{number}", "--network", file, *options, *_OF_RUNS[verb]]
    if verb in _MANIFOLD_VERBS:
        yield from _MANIFOLDS


def _verbs() -> dict[str, set[str]]:
    """The options of every verb; a switch counts with both of its names."""
    group = typer.main.get_command(app)
    found: dict[str, set[str]] = {}
    for verb in group.list_commands(None):  # type: ignore[attr-defined]
        command = group.get_command(None, verb)  # type: ignore[attr-defined]
        options = [p for p in command.params if p.param_type_name == "option"]
        names = [(p.opts, p.secondary_opts) for p in options]
        found[verb] = {kept for own, other in names for kept in (own[-1], *other[:1]) if kept}
    return found


def _short(word: str) -> str:
    return {"-o": "--output", "-q": "--quiet", "--colour": "--color"}.get(word, word)


def test_every_option_stands_in_a_call() -> None:
    missing = []
    for verb, options in _verbs().items():
        used = {_short(word) for call in _calls(verb) for word in call if word.startswith("-")}
        unused = {option for option in options if _short(option) not in used} - {"--help"}
        for option in sorted(unused):
            file = _ELSEWHERE.get((verb, option))
            if file is None or f'"{option}"' not in (_HERE / file).read_text(encoding="utf-8"):
                missing.append((verb, option))
    assert missing == []


def _nnet() -> str:
    """(x, y) ↦ two outputs over [−1, 1]², with a normalisation that is none."""
    return "\n".join(
        [
            "// a small network",
            "2,2,2,3,",
            "2,3,2,",
            "0,",
            "-1,-1,",
            "1,1,",
            "0,0,0,",
            "1,1,1,",
            *("1,0,", "0,1,", "1,1,", "0,", "0,", "-0.5,"),
            *("1,1,1,", "1,-1,0,", "0,", "0,"),
            "",
        ]
    )


_PROPERTY = """
(declare-const X_0 Real)
(declare-const X_1 Real)
(declare-const Y_0 Real)
(declare-const Y_1 Real)
(assert (or (and (>= X_0 -1) (<= X_0 0) (>= X_1 -1) (<= X_1 1))
            (and (>= X_0 0) (<= X_0 1) (>= X_1 -1) (<= X_1 1))))
(assert (>= Y_0 99))
"""
_MESH = """ply
format ascii 1.0
element vertex 8
property float x
property float y
element face 3
property list uchar int vertex_indices
end_header
0 0
1 0
1 1
0 1
5 5
6 5
1 1
6 6
3 0 1 2
3 0 6 3
3 4 5 7
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that calls name, made once."""
    root = tmp_path_factory.mktemp("files")
    first, second = np.array([[1.0, 0], [0, 1], [1, 1]]), np.array([[1.0, 1, 1], [1, -1, 0]])
    own = {"W0": first, "b0": np.array([0, 0, -0.5]), "W1": second, "b1": np.zeros(2)}
    np.savez(root / "net.npz", **own)
    parts = {f"{part}.{k}": v for part in ("actor", "critic") for k, v in _state(own).items()}
    np.savez(root / "parts.npz", **parts)
    (root / "net.nnet").write_text(_nnet(), encoding="utf-8")
    pixels = {"W0": np.eye(2, 784), "b0": -np.ones(2), "W1": np.ones((1, 2)), "b1": np.zeros(1)}
    np.savez(root / "pixels.npz", **pixels)
    np.savez(root / "box.npz", lower=[-1.0, -1.0], upper=[1.0, 1.0])
    np.savez(root / "polytope.npz", A=[[-1.0, 0], [0, -1], [1, 1]], b=[1.0, 1, 1])
    np.savez(root / "slice.npz", origin=[0.25, 0.125], basis=[[1.0, 0], [1, 1]])
    np.save(root / "points.npy", np.array([[0.25, 0.125], [0.75, -0.5], [-0.5, 0.3]]))
    np.savetxt(root / "cloud.csv", [[0, 0], [1, 0], [6, 5], [5, 5]], delimiter=",")
    np.save(root / "labels.npy", np.array([0, 0, 1, 1]))
    (root / "property.vnnlib").write_text(_PROPERTY, encoding="utf-8")
    (root / "mesh.ply").write_text(_MESH, encoding="utf-8")
    (root / "mnist").mkdir()
    images = np.random.default_rng(0).integers(1, 256, 2 * 784, dtype=np.uint8)
    head = struct.pack(">IIII", 2051, 2, 28, 28)
    (root / "mnist" / "t10k-images-idx3-ubyte").write_bytes(head + images.tobytes())
    return root


def _state(own: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    names = {"W0": "0.weight", "b0": "0.bias", "W1": "2.weight", "b1": "2.bias"}
    return {names[key]: value for key, value in own.items()}


@pytest.fixture
def place(
    made: Path, polyrank: Callable[..., Outcome], tmp_path: Path
) -> Callable[[str], str | Path]:
    """What a word of a call means: a file, a run that is made when it is asked for, or itself."""
    files = {
        "NET": "net.npz",
        "NNET": "net.nnet",
        "PARTS": "parts.npz",
        "PIXELS": "pixels.npz",
        "BOX": "box.npz",
        "POLYTOPE": "polytope.npz",
        "SLICE": "slice.npz",
        "POINTS": "points.npy",
        "CLOUD": "cloud.csv",
        "LABELS": "labels.npy",
        "PROPERTY": "property.vnnlib",
        "MESH": "mesh.ply",
        "MNIST": "mnist",
    }
    made_by = {
        "RUN": ["enumerate", "NET", *_BOX, "--proof", "--graph"],
        "PARTIAL": ["enumerate", "NET", *_BOX, "--max-regions", "1"],
        "IMAGES": ["image", "NET", "circle:8"],
        "VERDICT": ["verify", "NET", "PROPERTY", "--proof"],
        **{f"RUN{i}": ["enumerate", f, *_BOX, *o] for i, (f, *o) in enumerate(_READINGS)},
    }

    def meaning(word: str) -> str | Path:
        if word in files:
            return made / files[word]
        if word in made_by:
            target = tmp_path / word
            if not target.exists():
                polyrank(*map(meaning, made_by[word]), "-o", target)
            return target
        if word.partition(".")[0] in {"OUT", "NEW", "FRESH"}:
            return tmp_path / word.lower()
        return word

    return meaning


@pytest.mark.parametrize("verb", _OWN)
def test_every_option_is_answered(
    verb: str, polyrank: Callable[..., Outcome], place: Callable[[str], str | Path]
) -> None:
    for call in _calls(verb):
        if {"--alpha", "--rips", "--scale"} & set(call) and verb != "sample":
            pytest.importorskip("gudhi")
        if {"--picture", "plot"} & {verb, *call}:
            pytest.importorskip("matplotlib")
        if verb == "report":
            pytest.importorskip("jinja2")
            pytest.importorskip("bokeh")
        if "--cluster" in call:
            pytest.importorskip("distributed")
        ran = polyrank(verb, *map(place, call))
        assert ran.status in {0, 3, 5}, (call, ran.err)
        assert "Traceback" not in ran.err
        if "--json" not in call:  # one object, in one line
            wide = [line for line in ran.out.split("\n") if len(line) > 100 and "/" not in line]
            assert wide == [], call


def test_an_input_range_is_that_of_all_members(
    polyrank: Callable[..., Outcome], made: Path, tmp_path: Path
) -> None:
    for name, low in (("a", "-1,-1,"), ("b", "-2,-2,")):
        text = _nnet().replace("-1,-1,\n", f"{low}\n", 1)
        (tmp_path / f"{name}.nnet").write_text(text, encoding="utf-8")
    a, b = tmp_path / "a.nnet", tmp_path / "b.nnet"
    assert polyrank("ensemble", made / "net.nnet", a, "--input-range").status == 0
    ran = polyrank("ensemble", a, b, "--input-range")
    assert ran.status == 2
    assert "b.nnet states another range than a.nnet" in " ".join(ran.err.split())
    ran = polyrank("ensemble", "--arch", "2-3", "--input-range")
    assert ran.status == 2
    assert "not --arch" in " ".join(ran.err.split())
