"""Single layers on all of R^n: known cases, and sampled pairs that never contradict."""

from __future__ import annotations

import numpy as np
import pytest
from flint import fmpq

from polyrank.image.whole_space import LayerOnSpace, layer_on_space
from polyrank.network.forward import forward_exact
from polyrank.network.normal_form import Layer, Network, relu_layer


def decided(layer: Layer) -> LayerOnSpace:
    found = layer_on_space(layer)
    assert (found.pair is not None) == (found.kind == "not one-to-one")
    if found.pair is not None:
        assert found.pair[0] != found.pair[1]
        first, second = (forward_exact(Network((layer,)), p) for p in found.pair)
        assert first == second
    return found


def both(W: np.ndarray) -> np.ndarray:
    return np.concatenate([W, -W])


@pytest.mark.parametrize(
    ("layer", "kind"),
    [
        (relu_layer(np.eye(3), np.zeros(3), slope=0.5), "homeomorphism"),
        (relu_layer(np.eye(3)[:2], np.zeros(2), slope=0.5), "not one-to-one"),
        (relu_layer([[1.0, 1.0], [2.0, 2.0], [1.0, 1.0]], np.zeros(3)), "not one-to-one"),
        (relu_layer(np.eye(2), np.zeros(2)), "not one-to-one"),
        (relu_layer(np.ones((3, 2)) + np.eye(3)[:, :2], np.zeros(3), slope=0.5), "one-to-one"),
        # W above −W: every region keeps n independent rows (Puthawala et al., corollary 2)
        (relu_layer(both(np.array([[1.0, 2.0], [3.0, -1.0]])), np.zeros(4)), "one-to-one"),
        # the same with biases that open a strip where both halves of a pair are 0
        (relu_layer(both(np.eye(2)), np.array([-1.0, 0, -1.0, 0])), "not one-to-one"),
        (relu_layer(both(np.eye(2)), np.array([1.0, 0, 1.0, 0])), "one-to-one"),
        # three vectors at 120 degrees leave a cone with one active row
        (relu_layer([[1.0, 0], [-0.5, 1.0], [-0.5, -1.0]], np.zeros(3)), "not one-to-one"),
        # |x|, and |x| beside x or beside |x − 1|
        (relu_layer([[1.0]], [0.0], slope=-1), "not one-to-one"),
        (relu_layer([[1.0], [1.0]], [0.0, -1.0], slope=-1), "one-to-one"),
        (relu_layer([[1.0], [2.0]], [0.0, 0.0], slope=-1), "not one-to-one"),
        (relu_layer([[1.0, 0], [0, 1.0], [1.0, 1.0]], np.zeros(3), slope=-1), "not one-to-one"),
    ],
)
def test_known_layers(layer: Layer, kind: str) -> None:
    assert decided(layer).kind == kind


def test_a_layer_beside_its_absolute_values() -> None:
    ones = relu_layer(np.ones((4, 1)), np.ones(4)).bias
    absolute = relu_layer(np.ones((4, 1)), [-1.0, -1.0, 1.0, 1.0]).bias
    W = relu_layer(np.concatenate([np.eye(2), np.eye(2)]), np.zeros(4))
    assert decided(Layer(W.weight, W.bias, absolute, ones)).kind == "one-to-one"


def test_a_time_limit_leaves_folding_layers_open() -> None:
    layer = relu_layer([[1.0], [1.0]], [0.0, -1.0], slope=-1)
    assert layer_on_space(layer, seconds=0.0).kind == "not decided"


@pytest.mark.parametrize("seed", range(8))
def test_random_relu_layers(seed: int) -> None:
    """The definition on a grid: at every point the rows with z > 0 must span the plane."""
    rng = np.random.default_rng(seed)
    units = 3 + seed
    W, b = rng.integers(-3, 4, size=(units, 2)), rng.integers(-2, 3, size=units)
    found = decided(relu_layer(W.astype(float), b.astype(float)))
    x, y = np.meshgrid(np.arange(-100, 101) / 10 + 1e-3, np.arange(-100, 101) / 10 + 2e-3)
    active = (np.stack([x.ravel(), y.ravel()], 1) @ W.T + b) > 0
    patterns = np.unique(active, axis=0)
    least = min(np.linalg.matrix_rank(W[p]) if p.any() else 0 for p in patterns)
    assert (found.kind == "one-to-one") == (least == 2)


def test_the_pair_is_exact() -> None:
    found = decided(relu_layer([[3.0, 1.0]], [0.1]))
    assert found.pair is not None
    assert all(isinstance(v, fmpq) for p in found.pair for v in p)
