"""``polyrank report``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Outcome

pytest.importorskip("jinja2")
pytest.importorskip("bokeh")


def test_a_page_about_a_run(polyrank: Callable[..., Outcome], plane: Path, tmp_path: Path) -> None:
    run, page = tmp_path / "run", tmp_path / "page.html"
    assert polyrank("enumerate", plane, "--box", -2, 2, "-o", run).status == 0
    ran = polyrank("report", run, "-o", page)
    assert ran.status == 0, ran.err
    assert f"written to {page}" in ran.out
    text = page.read_text(encoding="utf-8")
    assert "certified: exactly 7 regions" in text
    assert 'id="map"' in text
    plane.unlink()
    assert polyrank("report", run, "-o", page).status == 0
    assert "The network is not known" in page.read_text(encoding="utf-8")


def test_what_is_refused(polyrank: Callable[..., Outcome], plane: Path, tmp_path: Path) -> None:
    ran = polyrank("report", tmp_path, "-o", tmp_path / "page.txt")
    assert ran.status == 1
    assert "a report is written as .html" in ran.err
    ran = polyrank("report", tmp_path, "-o", tmp_path / "page.html")
    assert ran.status == 1
    assert "not a polyrank run" in ran.err
    run = tmp_path / "run"
    assert polyrank("enumerate", plane, "--box", -2, 2, "-o", run).status == 0
    wrong = tmp_path / "other.npz"
    import numpy as np

    np.savez(wrong, W0=np.eye(2), b0=np.zeros(2))
    ran = polyrank("report", run, "-o", tmp_path / "page.html", "--network", wrong)
    assert ran.status == 1
    assert "is not that of the run" in ran.err
