"""Two curves in the plane, layer by layer: what tanh, leaky and plain ReLU do to them and a grid.

C. Olah, "Neural Networks, Manifolds, and Topology" (2014): a layer tanh(W x + b) of the plane with
det W ≠ 0 is a homeomorphism onto its image; so is a leaky one, a ReLU is not. Here the determinants
are exact. Leaky and ReLU layers are decided on all of both curves. Of tanh it is
proved that its homeomorphisms keep the curves apart; whether its output is right is sampled.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from gallery import COLOURS, asked, write
from training import ACTIVATIONS, accuracy, exact, forward, trained

import polyrank as pr
from polyrank.topology import shape

HEADER = "activation,layer,sampled_accuracy,det,homeomorphism,curves,separable,right"
WANTED = {k: ((2, 2, 2, 2, 1), s, k) for k, s in (("tanh", 5), ("leaky", 5), ("relu", 7))}
T = np.linspace(-1.4, 1.9, 661)
LINES = [np.stack(p, 1) for c in T[::60] for p in ((T, 0 * T + c), (0 * T + c, T))]


def sample(number):
    """Points of shape("two-curves"): the graphs of cos πx (class 0) and cos πx + 1/2 (class 1)."""
    x, label = np.linspace(-1, 1, number), np.arange(number) % 2
    return np.stack([x, np.cos(np.pi * x) + label / 2], 1), label


def networks():
    """{activation: weights}, read or trained."""
    file = Path(__file__).with_name("colah_layers") / "weights.npz"
    return trained(file, WANTED, sample(400), steps=800)


def stages(p, x, kind):
    """x, then for every hidden layer W h + b and its activation."""
    pairs = [(z, ACTIVATIONS[kind](z)) for z in forward(p, x, kind)[:-1]]
    return [x, *(h for pair in pairs for h in pair)]


def main():
    """Decide, write the table and the picture."""
    options, rows = asked(__file__, __doc__), []
    space = shape("two-curves:256" if options.full else "two-curves:64")
    x, label = sample(2000)
    figure, axes = plt.subplots(3, 4, figsize=(12, 9), layout="constrained")
    for (kind, p), across in zip(networks().items(), axes, strict=True):
        right = accuracy(p, x, label, kind)
        net, kept = exact(p, "leaky" if kind == "tanh" else kind), True
        found = None if kind == "tanh" else pr.separate(net, space)
        for k, layer in enumerate(net.layers[:-1], 1):
            det = layer.weight_exact.det()
            one = det != 0 and kind != "relu"
            kept, decided = kept and one, ["disjoint" if kept and one else "", "", ""]
            if found:
                row = found.pair(0, 1)[k]
                decided = [row.verdict, row.separable, found.classification.certified]
            rows.append([kind, k, right, f"{float(det):.4g}", one, *decided])
        grid, data = [stages(p, line, kind) for line in LINES], stages(p, x, kind)
        for k, ax in enumerate(across):
            show(ax, [g[2 * k] for g in grid], data[2 * k], label)
            ax.set_title(f"{kind}: image after layer {k}" if k else f"{kind}: the plane")
    axes[0, 0].legend(markerscale=4, loc="upper left", fontsize=7)
    write(options, "two_curves", HEADER, rows, figure)


def show(ax, lines, data, label):
    """The image of the grid, and of both curves."""
    for line in lines:
        ax.plot(*line.T, color="0.75", lw=0.6)
    for c in (0, 1):
        ax.plot(*data[label == c].T, ".", ms=2, color=COLOURS[c], label=f"curve {c}")
    ax.set(xlabel="h₁", ylabel="h₂")


if __name__ == "__main__":
    main()
