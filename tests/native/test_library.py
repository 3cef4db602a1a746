"""The native core is the one that its sources make, and is refused otherwise."""

import itertools
import shutil
from pathlib import Path

import numpy as np
import pytest

import polyrank as pr
from polyrank import compiled
from polyrank.errors import PolyrankError
from polyrank.graph.build import region_graph
from polyrank.native import library, records
from polyrank.native.records import array
from polyrank.proof import replay, rounding, witnesses
from polyrank.proof.check import check

NATIVE = Path(library.__file__).parent
#: The core, and the checker of proofs, which shares no source with it.
LIBRARIES = [(NATIVE, "polyrank_core"), (NATIVE.parent / "proof", "polyrank_check")]
both_builds = pytest.mark.skipif(
    not compiled.has_both(NATIVE, "polyrank_core"),
    reason="one build of the core is installed (both: POLYRANK_ANY_PROCESSOR)",
)


@pytest.mark.parametrize(("folder", "name"), LIBRARIES)
def test_a_library_was_built_from_these_sources(folder, name):
    built_from = compiled.fastest(folder, name).polyrank_sources().decode()
    assert built_from == compiled.sources_hash(folder / "src")


@pytest.mark.parametrize(("folder", "name"), LIBRARIES)
def test_one_changed_byte_in_any_source_is_noticed(tmp_path, folder, name):
    sources = folder / "src"
    for path in sources.glob("*.[ch]pp"):
        copy = tmp_path / path.name
        shutil.copytree(sources, copy)
        (copy / path.name).write_bytes(path.read_bytes() + b"\n")
        assert compiled.sources_hash(copy) != compiled.sources_hash(sources)


@pytest.mark.parametrize(("folder", "name"), LIBRARIES)
def test_what_was_built_from_other_sources_is_refused(monkeypatch, folder, name):
    monkeypatch.setattr(compiled, "sources_hash", lambda folder: "0" * 64)
    with pytest.raises(PolyrankError, match="built from other sources"):
        compiled.fastest(folder, name)


@pytest.mark.parametrize(("folder", "name"), LIBRARIES)
def test_a_processor_without_avx2_is_given_the_general_library_or_told_what_to_do(
    tmp_path, monkeypatch, folder, name
):
    class Library:
        def __init__(self, path):
            self.name = Path(path).name

            def has_avx2():
                return 0

            def sources():
                return b"hash"

            self.polyrank_has_avx2, self.polyrank_sources = has_avx2, sources

    suffix = compiled._SUFFIX
    monkeypatch.setattr(compiled, "_homes", lambda folder: [tmp_path / "none", tmp_path])
    monkeypatch.setattr(compiled.ctypes, "CDLL", Library)
    with pytest.raises(PolyrankError, match=f"the compiled {name}{suffix} is not in"):
        compiled.fastest(tmp_path, name)
    (tmp_path / f"{name}_avx2{suffix}").touch()
    with pytest.raises(
        PolyrankError, match="processors with AVX2, which this one has not: install"
    ):
        compiled.fastest(tmp_path, name)
    (tmp_path / f"{name}{suffix}").touch()
    assert compiled.fastest(tmp_path, name).name == f"{name}{suffix}"


def test_a_missing_library_is_named():
    with pytest.raises(PolyrankError, match="polyrank_none"):
        compiled.opened(NATIVE, "polyrank_none")


def test_the_checker_shares_no_header_with_the_search():
    ours, theirs = ({p.name for p in (f / "src").glob("*.hpp")} for f, _ in LIBRARIES)
    included = {
        line.split('"')[1]
        for path in (LIBRARIES[1][0] / "src").glob("*.[ch]pp")
        for line in path.read_text().splitlines()
        if line.startswith('#include "')
    }
    assert included
    assert included <= theirs - ours


def test_an_array_that_is_not_contiguous_is_refused():
    with pytest.raises(ValueError, match="strides"):
        array(np.zeros((4, 4)).T[::2])


@both_builds
def test_both_builds_compute_the_same_bits(monkeypatch):
    """The core for any processor and that for AVX2: same regions, order, witnesses, edges."""
    cases = [([2, 6, 6, 1], pr.Box(-1, 1)), ([3, 7, 4, 1], pr.Box(-1, 1)), ([4, 6, 5, 1], None)]
    found = []
    for name in ("polyrank_core", "polyrank_core_avx2"):
        monkeypatch.setattr(records, "core", lambda name=name: compiled.opened(NATIVE, name))
        runs = []
        for seed, (widths, domain) in enumerate(cases):
            rng = np.random.default_rng(seed)
            shapes = list(itertools.pairwise(widths))
            net = pr.Network.from_arrays(
                [rng.normal(size=(b, a)) for a, b in shapes],
                [rng.normal(size=b) for _, b in shapes],
            )
            run = pr.enumerate_regions(net, domain) if domain else pr.enumerate_regions(net)
            graph = region_graph(run, net)
            runs.append((run.table.to_pydict(), graph.source.tolist(), graph.beyond.tolist()))
        found.append(runs)
    assert found[0] == found[1]


@both_builds
def test_both_builds_of_the_checker_leave_the_same_claims(tmp_path, monkeypatch):
    """What bounds do not prove is the same, claim by claim: with a proof, and of rows alone."""
    dice = np.random.default_rng(5)
    shapes = [(3, 9), (9, 9), (9, 1)]
    net = pr.Network.from_arrays(
        [np.round(dice.normal(size=(m, n)), 1) for n, m in shapes],
        [np.round(dice.normal(size=m), 1) * (m != 9) for _, m in shapes],
    )
    pr.save(net, tmp_path / "net.json")
    for proof in (True, False):
        pr.enumerate_regions(net, out=tmp_path / f"{proof}", proof=proof)
    found = []
    decide = replay.decide
    for name in ("polyrank_check", "polyrank_check_avx2"):
        claims = []

        def noted(left, *rest, claims=claims):
            claims.append((left.where, left.kind, left.number, left.rows, left.listed))
            return decide(left, *rest)

        monkeypatch.setattr(
            rounding, "fastest", lambda folder, _, name=name: compiled.opened(folder, name)
        )
        for module in (replay, witnesses):
            monkeypatch.setattr(module, "decide", noted)
        for proof in (True, False):
            check(tmp_path / f"{proof}", network=tmp_path / "net.json")
        found.append(claims)
    assert found[0] == found[1] != []
