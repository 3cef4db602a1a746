"""Training with numpy alone: Adam on a loss of one output; weights are kept on disk."""

from itertools import pairwise

import numpy as np
from adam import adam

import polyrank as pr

__all__ = ["ACTIVATIONS", "accuracy", "exact", "forward", "train", "trained"]

ACTIVATIONS = {"relu": lambda z: np.maximum(z, 0), "abs": np.abs, "tanh": np.tanh}
ACTIVATIONS["leaky"] = lambda z: np.maximum(z, z / 8)
SLOPES = {"relu": lambda z: (z > 0).astype(float), "abs": np.sign}
SLOPES |= {"tanh": lambda z: 1 - np.tanh(z) ** 2, "leaky": lambda z: np.where(z > 0, 1, 1 / 8)}
BELOW = {"relu": 0, "abs": -1, "leaky": 1 / 8}  # the slopes where z <= 0


def exact(p, kind):
    """The exact network of p = [W1, b1, W2, b2, ...], its output affine."""
    return pr.Network.from_arrays(p[::2], p[1::2], slope=BELOW[kind])


def forward(p, x, kind="relu"):
    """The pre-activations of every layer; p = [W1, b1, W2, b2, ...], the output is affine."""
    z = []
    for W, b in zip(p[::2], p[1::2], strict=True):
        z.append(x @ W.T + b)
        x = ACTIVATIONS[kind](z[-1])
    return z


def accuracy(p, x, label, kind="relu"):
    """The share of points whose output is positive on class 1 and not on class 0."""
    return ((forward(p, x, kind)[-1][:, 0] > 0) == label).mean()


def train(widths, x, label, seed, kind="relu", steps=3000, rate=0.02, *, square=False):
    """float32 weights and biases: positive on class 1, negative on class 0; or near the labels."""
    rng, p = np.random.default_rng([seed, *widths]), []
    for m, n in pairwise(widths):
        p += [rng.normal(size=(n, m)) * np.sqrt(2 / m), rng.normal(size=n) * 0.5]
    step = adam(p, rate)
    for _ in range(steps):
        z = forward(p, x, kind)
        found = z[-1] if square else 1 / (1 + np.exp(-np.clip(z[-1], -50, 50)))
        back = (found - label[:, None]) / len(x)
        gradient = [None] * len(p)
        for k in range(len(z) - 1, -1, -1):
            h = ACTIVATIONS[kind](z[k - 1]) if k else x
            gradient[2 * k], gradient[2 * k + 1] = back.T @ h, back.sum(0)
            if k:
                back = (back @ p[2 * k]) * SLOPES[kind](z[k - 1])
        step(gradient)
    return [a.astype(np.float32) for a in p]


def trained(path, wanted, data, **options):
    """{name: weights}: read from an .npz file, or trained as ``wanted`` says and written to it.

    ``wanted`` is {name: (widths, seed, activation)}; ``data`` is (points, labels); the loss is
    logistic or the mean square; ``options`` are those of :func:`train`.
    """
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        found = {}
        for name, (widths, seed, kind) in wanted.items():
            for i, a in enumerate(train(widths, *data, seed, kind, **options)):
                found[f"{name}/{i}"] = a
        np.savez_compressed(path, **found)
    with np.load(path) as kept:
        return {
            name: [kept[f"{name}/{i}"] for i in range(2 * len(widths) - 2)]
            for name, (widths, _, _) in wanted.items()
        }
