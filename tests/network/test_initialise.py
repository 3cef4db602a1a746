"""Random networks: the recorded definition, redone with numpy alone; laws; refusals."""

from __future__ import annotations

import numpy as np
import pytest

import polyrank as pr
from polyrank.network.initialise import law


def arrays(net: pr.Network) -> list[np.ndarray]:
    return [part for layer in net.layers for part in (layer.weight.approx, layer.bias.approx)]


def test_the_definition() -> None:
    """numpy's generator, layer by layer: the weight, the bias, then which rows are negated."""
    g = np.random.default_rng([5, 1])
    expected = []
    for m, n in [(3, 4), (4, 6)]:
        a = 1 / np.sqrt(m)
        W, b = g.uniform(-a, a, (n, m)), g.uniform(-a, a, n)
        W[g.permutation(n)[:2]] *= -1
        expected += [W.astype(np.float32), b.astype(np.float32)]
    found = pr.random_network("3-4-6", seed=5, flip=2)
    assert all((a == b).all() for a, b in zip(arrays(found), expected, strict=True))
    assert found.name == "3-4-6 torch flip 2 seed 5"
    assert found.bits == (4, 6)
    assert pr.random_network((3, 4, 6), affine_output=True).bits == (4, 0)


def test_numbers_of_one_seed_are_pinned() -> None:
    """numpy promises the stream of PCG64; a change of the definition has to be seen."""
    g = np.random.default_rng([0, 1])
    first = g.normal(0.25, 0.5 / np.sqrt(2), (2, 3)).astype(np.float32)
    found = pr.random_network("3-2", init="normal:0.25,0.5/sqrt(n)")
    assert (found.layers[0].weight.approx == first).all()


@pytest.mark.parametrize(
    ("text", "low", "high", "symmetric"),
    [
        ("torch", -0.5, 0.5, True),
        ("uniform:0,1", 0, 1, False),
        ("uniform:-1/m,1/m", -0.25, 0.25, True),
        ("uniform:-2e-1,0.1", -0.2, 0.1, False),
        ("zero", 0, 0, True),
        ("dale:0", 0, 1, False),
    ],
)
def test_ranges(text: str, low: float, high: float, symmetric: bool) -> None:
    found = law(text)
    values = found.draw(np.random.default_rng(0), (1000, 4), 4, 1000)
    assert values.min() >= low
    assert values.max() <= high
    if low < high:
        assert values.max() - values.min() > 0.95 * (high - low)
    assert found.symmetric is symmetric


@pytest.mark.parametrize(("text", "mean", "sd"), [("he", 0, 0.5), ("normal:3,2/m", 3, 0.25)])
def test_moments(text: str, mean: float, sd: float) -> None:
    values = law(text).draw(np.random.default_rng(0), (4000, 8), 8, 4000)
    assert values.mean() == pytest.approx(mean, abs=5 * sd / np.sqrt(32000))
    assert values.std() == pytest.approx(sd, rel=0.03)


def test_dale_columns() -> None:
    """Every input excites all units or inhibits all."""
    W = pr.random_network("6-50", init="dale:2,3").layers[0].weight.approx
    assert (W[:, :4] > 0).all()
    assert (W[:, :4] < 1).all()
    assert (W[:, 4:] < 0).all()
    assert W.min() < -2
    assert pr.random_network("6-5", init="dale:6").layers[0].weight.approx.max() < 0
    with pytest.raises(pr.NetworkError, match="7 inhibitory inputs of 6"):
        pr.random_network("6-5", init="dale:7")
    with pytest.raises(pr.NetworkError, match="biases have none"):
        pr.random_network("6-5", bias="dale:1")


@pytest.mark.parametrize(
    "text",
    ["", "torch:1", "xavier", "normal:1", "normal:0,-1", "uniform:1,0", "uniform:a,b", "dale:-1",
     "dale:x", "normal:0,1/sqrt(k)", "normal:0,1/sqrt(n", "normal:0,1/n)"],
)  # fmt: skip
def test_what_is_no_law(text: str) -> None:
    with pytest.raises(pr.NetworkError, match="is no initialisation"):
        law(text)


def test_too_many_rows_to_negate() -> None:
    with pytest.raises(pr.NetworkError, match="5 rows cannot be negated"):
        pr.random_network("3-9-4", flip=5)


def test_a_negative_seed() -> None:
    with pytest.raises(pr.NetworkError, match="the seed is -1"):
        pr.random_network("3-9-4", seed=-1)
