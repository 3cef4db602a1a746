"""Every verb that writes, on a disk that is full or may not be written: a sentence, status 1.

The disks are real: tmpfs of a few kilobytes. Where this process may not mount one, all is skipped.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import polyrank as pr
from polyrank.network.formats import save
from polyrank.network.initialise import random_network
from polyrank.regions import enumerate as enumerate_module
from polyrank_cli.main import app
from tests.cli.conftest import Outcome

#: What is written to DISK, by verb and kind of file.
CALLS = {
    "enumerate": ["enumerate", "NET", "--box", "-1", "1", "--proof", "-o", "DISK/out"],
    "enumerate --graph": ["enumerate", "NET", "--box", "-1", "1", "--graph", "-o", "DISK/out"],
    "slice": ["slice", "NET", "--points", "POINTS", "-o", "DISK/out"],
    "complex": ["complex", "NET", "--box", "-1", "1", "-o", "DISK/out"],
    "complex --mesh": ["complex", "WIDE", "--box", "-1", "1", "--mesh", "DISK/mesh.vtp"],
    "sample": ["sample", "NET", "--normal", "3000", "--per-point", "-o", "DISK/out"],
    "restrict": ["restrict", "NET", "circle:200", "-o", "DISK/out"],
    "homeomorphism": ["homeomorphism", "NET", "circle:20", "-o", "DISK/out"],
    "separate": ["separate", "NET", "concentric-circles:20", "-o", "DISK/out"],
    "image": ["image", "NET", "circle:40", "-o", "DISK/out"],
    "minrank": ["minrank", "NET", "--layer", "2", "-q", "-o", "DISK/out"],
    "verify": ["verify", "NET", "--lower", "-9", "--box", "-1", "1", "--proof", "-o", "DISK/out"],
    "ensemble": ["ensemble", "--arch", "2-3-1", "--seeds", "4", "-q", "-o", "DISK/rows.parquet"],
    "report": ["report", "GRAPH", "-o", "DISK/page.html"],
    "plot": ["plot", "GRAPH", "-o", "DISK/map.png"],
    "graph .graphml": ["graph", "GRAPH", "--export", "DISK/graph.graphml"],
    "graph .gexf": ["graph", "GRAPH", "--export", "DISK/graph.gexf"],
    "graph .csv": ["graph", "GRAPH", "--export", "DISK/graph.csv"],
    "graph .npz": ["graph", "GRAPH", "--export", "DISK/graph.npz"],
    "graph .parquet": ["graph", "GRAPH", "--export", "DISK/graph.parquet"],
    "convert": ["convert", "NET", "DISK/net.json"],
}
QUICK = ["enumerate", "enumerate --graph", "minrank", "sample", "graph .graphml", "complex --mesh"]


class Disk:
    """A disk of any size, at one place."""

    def __init__(self, place: Path) -> None:
        self.place = place
        place.mkdir()

    def mount(self, options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.place)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("this process may not mount a disk")

    def again(self, options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", str(self.place)], check=True)

    def unmount(self) -> None:
        """At once, also while something of it is still mapped."""
        subprocess.run(["umount", "-l", str(self.place)], capture_output=True, check=False)

    @property
    def files(self) -> set[str]:
        return {str(p.relative_to(self.place)) for p in self.place.rglob("*")}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    made = Disk(tmp_path / "disk")
    yield made
    made.unmount()


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("places")
    save(random_network([2, 9, 6, 1], seed=1), folder / "net.json")
    save(random_network([2, 24, 12, 1], seed=1), folder / "wide.json")
    (folder / "points.csv").write_text("0,0\n1,0\n0,1\n", encoding="utf-8")
    words = ["enumerate", folder / "net.json", "--box", "-1", "1", "--graph", "-q"]
    with pytest.raises(SystemExit):
        app([*map(str, words), "-o", str(folder / "graph")], prog_name="polyrank")
    return {
        "NET": str(folder / "net.json"), "WIDE": str(folder / "wide.json"),
        "POINTS": str(folder / "points.csv"), "GRAPH": str(folder / "graph"),
    }  # fmt: skip


def words_of(name: str, places: dict[str, str], disk: Disk) -> list[str]:
    return [places.get(w, w.replace("DISK", str(disk.place))) for w in CALLS[name]]


_ALL = [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in CALLS]


@pytest.mark.parametrize("name", _ALL)
def test_a_disk_that_is_full(
    name: str, polyrank: Callable[..., Outcome], places: dict[str, str], disk: Disk
) -> None:
    """Of every size up to what is needed: nothing is left that looks done."""
    words, full = words_of(name, places, disk), 0
    for size in [4 * 2**k for k in range(9 if name in QUICK else 12)]:
        disk.mount(f"size={size}k")
        try:
            ran = polyrank(*words)
            if ran.status in {0, 3}:
                break
            full += 1
            assert ran.status == 1
            assert "the disk is full while writing" in ran.err or "No space left" in ran.err
            assert str(disk.place) in ran.err
            assert len(ran.err.splitlines()) <= 3
            left = {file for file in disk.files if not file.endswith(".rows")}
            if name == "minrank":  # the search is kept, but for its answer
                assert left <= {"out", "out/journal.jsonl"}
            elif not name.startswith(("enumerate", "slice")):
                assert left == set()
            elif left:  # a run that has begun says so, and can be resumed
                assert pr.open_run(disk.place / "out").status in {"running", "failed", "finished"}
        finally:
            disk.unmount()
    else:
        raise AssertionError("no disk was large enough")
    assert full or name in {"convert", "graph .csv", "graph .npz", "graph .parquet"}


@pytest.mark.parametrize("name", _ALL)
def test_a_disk_that_may_not_be_written(
    name: str, polyrank: Callable[..., Outcome], places: dict[str, str], disk: Disk
) -> None:
    disk.mount("size=1m,ro")
    ran = polyrank(*words_of(name, places, disk))
    assert ran.status == 1
    assert "Read-only file system" in ran.err
    assert str(disk.place) in ran.err
    assert len(ran.err.splitlines()) <= 3


def test_a_run_on_a_disk_that_grows(
    polyrank: Callable[..., Outcome], disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Full again and again, a little larger each time, resumed: the same table and hash."""
    monkeypatch.setattr(enumerate_module, "TASK_WORK", (10.0, 20.0))
    net = tmp_path / "net.json"
    save(random_network([2, 16, 8, 1], seed=1), net)
    question = ["enumerate", net, "--box", "-1", "1", "--proof", "-o"]
    assert polyrank(*question, tmp_path / "whole").status == 0
    out, times, size = disk.place / "out", 0, 12
    disk.mount(f"size={size}k")
    ran = polyrank(*question, out)
    while ran.status:
        assert ran.status == 1
        assert "the disk is full while writing" in ran.err
        times, size = times + 1, size + 12
        disk.again(f"size={size}k")
        ran = polyrank(*(["enumerate", "--resume"] if out.exists() else question), out)
    assert times > 2
    runs = [pr.open_run(tmp_path / "whole"), pr.open_run(out)]
    assert runs[0].manifest["content"] == runs[1].manifest["content"]
    assert polyrank("check", out).status == 0
