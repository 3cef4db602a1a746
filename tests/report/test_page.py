"""The page about a run: what it says, that it stands alone, and what a browser makes of it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import polyrank as pr
from polyrank.errors import RunError, UnsupportedError
from polyrank.image.image_certificate import save_images
from polyrank.report.page import page_file, report_page
from tests.examples import LINEAR, layer, network

pytest.importorskip("jinja2")
pytest.importorskip("bokeh")

# three lines in general position: 7 regions, of them one of rank 0 and two of rank 1 at layer 1
_NET = network(layer([[1, 0], [0, 1], [1, 1]], [0, 0, -1]), layer([[1, 1, 1]], [0], LINEAR))


def _run(path: Path) -> pr.Run:
    return pr.enumerate_regions(_NET, pr.Box(-2, 2), out=path, proof=True)


def _text(page: str) -> str:
    body = re.sub(r"<(script|style)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def test_what_a_page_says(tmp_path: Path) -> None:
    run = _run(tmp_path / "run")
    page = report_page(run, run.access)
    text = _text(page)
    assert "certified: exactly 7 regions" in text
    assert "Into which regions do the 3 hyperplanes of" in text
    assert "the box -2 ≤ x ≤ 2" in text
    assert "There is no other region" in text
    assert f"polyrank check {tmp_path / 'run'}" in text
    assert "7 regions, coloured by the rank of the map through layer 1" in text
    assert "rank 0: 1 region rank 1: 2 regions rank 2: 4 regions" in text
    assert "3 regions of rank below 2 in 1 component through facets" in text
    assert _NET.sha256 in text
    assert "edges (pairs that share a facet) 9" in text
    # it stands alone: nothing is loaded from elsewhere
    assert not re.findall(
        r"(?:src|href)=[\"'](?!data:|#)", re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    )


def test_the_barcode_of_an_image(tmp_path: Path) -> None:
    """The circle's loop goes to the plane at layer 1 and dies on the line at layer 2."""
    run = _run(tmp_path / "run")
    save_images(pr.image(_NET, "circle:8"), tmp_path / "image")
    page = report_page(run, None, images=tmp_path / "image")
    text = _text(page)
    assert f"polyrank check {tmp_path / 'image'}" in text
    assert "M Z, Z layer 0 (position) Z, Z layer 1 Z, Z layer 2 Z, 0" in text
    bars = re.findall(r'title="(.*?)" style="margin-left: (.*?)%; width: (.*?)%"', page)
    assert bars == [("M to the end", "0.0", "100.0"), ("M to layer 2", "0.0", "75.0")]


def test_what_is_no_certificate_of_images_of_the_run(tmp_path: Path) -> None:
    run = _run(tmp_path / "run")
    with pytest.raises(RunError, match="is not a certificate of images"):
        report_page(run, None, images=tmp_path / "nothing")
    save_images(pr.image(pr.random_network([2, 2], seed=1), "circle:8"), tmp_path / "other")
    with pytest.raises(RunError, match="is about another network than the run"):
        report_page(run, None, images=tmp_path / "other")
    save_images(pr.image(_NET, "circle:8"), tmp_path / "image")
    file = tmp_path / "image" / "certificate.json"
    stated = json.loads(file.read_text())
    for change in (
        {"polyrank_image": 0},
        {"bars": [{"degree": 1, "birth": 2, "death": 1, "count": 1}]},
        {"bars": [{"degree": 1, "birth": 0, "death": 9, "count": 1}]},
        {"layers": None},
    ):
        file.write_text(json.dumps(stated | change))
        with pytest.raises(RunError, match="is not a certificate of images"):
            report_page(run, None, images=tmp_path / "image")
    file.write_text(json.dumps(stated | {"groups": stated["groups"][:2]}))
    with pytest.raises(RunError, match="the homology of 2 of 4 images"):
        report_page(run, None, images=tmp_path / "image")


def test_a_proof_that_was_deleted_is_not_promised(tmp_path: Path) -> None:
    run = _run(tmp_path / "run")
    assert "holds the whole search tree" in _text(report_page(run, None))
    shutil.rmtree(tmp_path / "run" / "proof")
    text = _text(report_page(run, None))
    assert "holds the whole search tree" not in text
    assert "is not there (--proof writes it)" in text


def test_rounded_numbers_are_marked() -> None:
    run = pr.enumerate_regions(_NET, pr.Box("-1000001/3000000", "1/4"))
    assert "the box ≈-0.333334 ≤ x ≤ 1/4" in _text(report_page(run, None))


def test_names_are_text_not_markup(tmp_path: Path) -> None:
    named = pr.Network(_NET.layers, "<script>alert(1)</script>")
    run = pr.enumerate_regions(named, pr.Box(-1, 1), out=tmp_path / "run")
    page = report_page(run, None)
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_a_run_in_other_dimensions_and_of_part_of_the_network() -> None:
    cube = pr.Network.from_arrays([np.eye(3), np.ones((1, 3))], [np.zeros(3), [0.0]])
    run = pr.enumerate_regions(cube, pr.Box([-1, -2, -3], 1), through_layer=1)
    text = _text(report_page(run, run.access, below=3))
    assert "exactly 8 regions" in text
    assert "layers 1..1 of 2: later layers divide them further" in text
    assert "(-1, -2, -3) ≤ x ≤ 1" in text
    assert "The regions" not in text
    assert "is not there (--proof writes it)" in text
    line = pr.Slice([0, 0, 0], [[1], [1], [1]], pr.Box(-1, 1))
    sliced = pr.enumerate_regions(cube, line)
    assert "a slice of the input space, cut by the box" in _text(report_page(sliced, None))
    assert "all of the input space" in _text(report_page(pr.enumerate_regions(cube), None))


def test_without_the_network_the_map_is_left_out(tmp_path: Path) -> None:
    run = pr.enumerate_regions(_NET, pr.Box(-2, 2), out=tmp_path / "run")
    text = _text(report_page(run, None))
    assert "The network is not known: name it with --network, and the regions are drawn." in text
    assert "exactly 7 regions" in text


def test_a_run_that_is_not_certified() -> None:
    run = _NET and pr.enumerate_regions(_NET, pr.Box(-2, 2))
    partial = pr.Run.in_memory({**run.manifest, "status": "interrupted"}, run.table)
    text = _text(report_page(partial, None))
    assert "partial: at least 7 regions" in text
    assert "not proved that the list is complete" in text
    assert "≥ 7" in text
    assert "≤ 0" in text


def test_layers_and_bounds_that_do_not_exist() -> None:
    run = pr.enumerate_regions(_NET, pr.Box(-2, 2))
    with pytest.raises(RunError, match="layer 3 is not part of this run"):
        report_page(run, None, layer=3)
    with pytest.raises(RunError, match="a rank below 5; expected 1 to the dimension"):
        report_page(run, None, below=5)


def test_where_a_page_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnsupportedError, match=r"a report is written as \.html"):
        page_file(tmp_path / "page.pdf")
    with pytest.raises(UnsupportedError, match="there is no folder"):
        page_file(tmp_path / "none" / "page.html")
    run = pr.enumerate_regions(_NET, pr.Box(-2, 2))
    monkeypatch.setitem(sys.modules, "bokeh.embed", None)
    with pytest.raises(UnsupportedError, match="bokeh is not installed"):
        report_page(run, run.access)
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(UnsupportedError, match="jinja2 is not installed"):
        page_file(tmp_path / "page.html")


def test_too_many_regions_are_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    from polyrank.report import interactive

    monkeypatch.setattr(interactive, "MOST_DRAWN", 6)
    run = pr.enumerate_regions(_NET, pr.Box(-2, 2))
    assert "Not drawn: 7 regions; a page draws at most 6." in _text(report_page(run, run.access))


def _browser() -> tuple[str, str]:
    chromium, node = shutil.which("chromium"), shutil.which("node")
    if chromium is None or node is None:
        pytest.skip("chromium or node is not installed")
    asked = subprocess.run(
        [node, "-e", "require('playwright-core')"], capture_output=True, check=False
    )
    if asked.returncode:
        pytest.skip("playwright-core is not installed (npm install playwright-core; NODE_PATH)")
    return node, chromium


def test_the_page_in_a_browser(tmp_path: Path) -> None:
    node, chromium = _browser()
    run = _run(tmp_path / "run")
    page = tmp_path / "page.html"
    page.write_text(report_page(run, run.access), encoding="utf-8")
    script = Path(__file__).parent / "browser" / "look.js"
    command = [node, str(script), str(page), chromium, str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    seen = json.loads(ran.stdout)
    for look in seen.values():
        assert look["problems"] == []
        assert look["requests"] == []
        assert look["overflow"] <= 0
        assert look["verdict"] == "certified: exactly 7 regions"
    assert seen["dark"]["background"] != seen["light"]["background"]
    region, word, ranks, *_ = map(str.strip, seen["light"]["tooltip"])
    listed = run[int(region)]
    assert word == "".join("01"[int(b)] for b in listed.codeword)
    assert ranks == " ".join(map(str, listed.ranks))
    assert seen["light"]["zoomed"] < 0.9
