"""Draws the pictures of the documentation into docs/pictures: ``python docs/make_pictures.py``."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import polyrank as pr

PICTURES = Path(__file__).parent / "pictures"


def main() -> None:
    """Draw all pictures."""
    rng = np.random.default_rng(7)
    first = pr.Network.from_arrays(
        [rng.normal(size=(8, 2)), rng.normal(size=(2, 8))],
        [rng.normal(size=8), np.zeros(2)],
        name="mine",
    )
    triangle = pr.Network.from_arrays(
        [[[0, -1], [2, 1], [-2, 1]], [[1, 1, 1]]], [[0, -2, -2], [0]], name="triangle"
    )
    for name, net, layer in (("first_run", first, 2), ("low_rank", triangle, 1)):
        figure = pr.enumerate_regions(net, pr.Box(-3, 3)).plot(layer=layer)
        figure.savefig(PICTURES / f"{name}.png", dpi=90, bbox_inches="tight")


if __name__ == "__main__":
    main()
