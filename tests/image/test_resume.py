"""Images of layers that are kept: whatever ended the work, the answer is one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from polyrank.errors import RunError
from polyrank.image import overlay as overlay_module
from polyrank.image.barcode import LayerImages, image
from polyrank.image.barcode_object import image_object
from polyrank.image.kept import KeptLayers
from polyrank.network.initialise import random_network
from polyrank.network.normal_form import Network
from polyrank.topology.manifold import Manifold
from polyrank.topology.shapes import shape
from tests.killed import killed_again_and_again

#: Widths, seed, shape, way.
CASES: dict[str, tuple[list[int], int, str, Any]] = {
    "curve": ([2, 5, 4, 3, 2], 1, "circle:24", None),
    "surface with contours": ([3, 4, 3, 2], 1, "torus:8x5", None),
    "solid": ([4, 3, 2], 1, "3-sphere:3", None),
    "nerves": ([2, 4, 3], 1, "circle:12", "nerve"),
    "both": ([2, 4, 3], 2, "circle:12", "both"),
}


def posed(case: str) -> tuple[Network, Manifold, Any]:
    widths, seed, name, way = CASES[case]
    return random_network(widths, seed=seed), shape(name), way


def said(found: LayerImages) -> dict[str, Any]:
    return {k: v for k, v in image_object(found).items() if k != "seconds"}


@pytest.mark.parametrize("case", CASES)
def test_layers_that_are_kept_are_not_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    network, manifold, way = posed(case)
    whole = said(image(network, manifold, way=way))
    keep = tmp_path / "layers"
    asked: dict[str, Any] = {"way": way, "keep": keep, "keep_seconds": 0}
    calls = []
    for name in ("glue", "shadow"):
        make = getattr(overlay_module, name)

        def counted(*arguments: Any, make: Callable[..., Any] = make, **named: Any) -> Any:
            calls.append(make.__name__)
            return make(*arguments, **named)

        monkeypatch.setattr(overlay_module, name, counted)
    stopped = 0
    keeps = KeptLayers._keep

    def interrupted(self: KeptLayers, *arguments: Any) -> None:
        nonlocal stopped
        keeps(self, *arguments)
        if stopped < 3:
            stopped += 1
            raise KeyboardInterrupt

    monkeypatch.setattr(KeptLayers, "_keep", interrupted)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            image(network, manifold, **asked)
    assert said(image(network, manifold, **asked)) == whole
    layers = len(network.layers) + 1
    assert len(calls) == (layers if way != "nerve" else 0)  # every layer once, over four calls
    assert said(image(network, manifold, **asked)) == whole
    assert len(calls) == (layers if way != "nerve" else 0)


def test_what_is_quick_is_not_kept(tmp_path: Path) -> None:
    network, manifold, _ = posed("curve")
    image(network, manifold, keep=tmp_path / "layers")
    assert list((tmp_path / "layers").glob("*.bin")) == []


def test_another_question_is_refused(tmp_path: Path) -> None:
    network, manifold, _ = posed("curve")
    keep = tmp_path / "layers"
    image(network, manifold, keep=keep)
    for other, asked in (
        ((random_network([2, 5, 4, 3, 2], seed=3), manifold), {}),
        ((network, shape("circle:23")), {}),
        ((network, manifold), {"layer": 2}),
    ):
        with pytest.raises(RunError, match="is about another question"):
            image(*other, keep=keep, **asked)
    image(network, manifold, keep=keep, coefficients="2")  # the images are the same


_SCRIPT = """
import json, sys
from pathlib import Path
from polyrank.image.barcode import image
from polyrank.image.barcode_object import image_object
from polyrank.network.initialise import random_network
from polyrank.topology.shapes import shape
where, (widths, seed, name, way) = Path(sys.argv[1]), json.loads(sys.argv[2])
net, manifold = random_network(widths, seed=seed), shape(name)
if where.exists() and not (where / "journal.jsonl").exists():
    where.rmdir()  # killed between the two
print("ready", flush=True)
found = image_object(image(net, manifold, way=way, keep=where, keep_seconds=0))
(where / "found.json").write_text(json.dumps({k: v for k, v in found.items() if k != "seconds"}))
"""


@pytest.mark.parametrize(
    ("case", "kills"),
    [("curve", 2), *(pytest.param(case, 50, marks=pytest.mark.slow) for case in CASES)],
)
def test_an_image_that_is_killed_again_and_again(tmp_path: Path, case: str, kills: int) -> None:
    network, manifold, way = posed(case)
    whole = said(image(network, manifold, way=way))
    arguments = [tmp_path / "layers", json.dumps(CASES[case])]
    killed_again_and_again(_SCRIPT, arguments, kills=kills, ready="ready", longest=0.3)
    found = json.loads((tmp_path / "layers" / "found.json").read_text(encoding="utf-8"))
    assert found == json.loads(json.dumps(whole))
