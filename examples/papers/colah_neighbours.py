"""A nearest-neighbour layer is piecewise linear: proved right on all of a disk in an annulus.

C. Olah, "Neural Networks, Manifolds, and Topology" (2014), proposes k nearest neighbours as the
output layer. For k = 1 a class has the score max over its prototypes a of 2 a · h - |a|², which is
|h|² less the square of the distance to its nearest prototype: a maximum of affine functions, so a
ReLU network, written down exactly (max(u, v) = v + relu(u - v)). Its least margin over all of both
classes is proved, also behind a given leaky layer of two units, where no hyperplane separates
them. The vote of k = 3 is only sampled: nothing is proved about it.
"""

import matplotlib.pyplot as plt
import numpy as np
from colah import sample
from gallery import asked, plane, write

import polyrank as pr
from polyrank.topology import shape

HEADER = "layer,prototypes,sampled_k1,sampled_k3,least_margin_k1,right_everywhere_k1,hyperplane"
LAYERS = {"none": (np.eye(2), np.zeros(2), 1)}  # weight, bias, slope where z ≤ 0
LAYERS["leaky"] = np.array([[1, 0.5], [-0.5, 1]]), np.array([0.5, -0.25]), 1 / 8


def nearest(hidden, prototypes):
    """The network h(x) ↦ score of class 1 - score of class 0, of 2ⁿ prototypes per class."""
    a, (V, c, slope) = np.concatenate(prototypes), hidden  # of few bits: all products are exact
    W = [np.vstack([V, -V]), 2 * a @ np.hstack([np.eye(2), -slope * np.eye(2)])]  # z⁺ - slope z⁻
    b = [np.append(c, -c), -(a**2).sum(axis=1)]
    number = len(a)
    while number > 2:  # pairs (u, v) to u - v, v, -v, whose ReLUs say max(u, v) and v
        number //= 2
        pair = np.kron(np.eye(number), [[1.0, -1], [0, 1], [0, -1]])
        W[-1], b[-1] = pair @ W[-1], pair @ b[-1]
        W.append(np.kron(np.eye(number), [[1.0, 1, -1]]))
        b.append(np.zeros(number))
    W[-1], b[-1] = W[-1][1:] - W[-1][:1], b[-1][1:] - b[-1][:1]
    return pr.Network.from_arrays(W, b)


def vote(h, prototypes, k):
    """Class 1 where it has most of the k nearest prototypes."""
    a, label = np.concatenate(prototypes), np.repeat([0, 1], [len(p) for p in prototypes])
    order = ((h[:, None] - a) ** 2).sum(axis=2).argsort(axis=1)[:, :k]
    return label[order].mean(axis=1) > 0.5


def main():
    """For both layers and several numbers of prototypes: sampled, and proved."""
    options, rows, drawn = asked(__file__, __doc__), [], []
    x, label = sample(np.random.default_rng(1), 2000)
    space = shape("disk-in-annulus:24" if options.full else "disk-in-annulus:12")
    for name, p in LAYERS.items():
        plain = pr.Network.from_arrays(p[:1], p[1:2], output_relu=True, slope=p[2])
        h, line = plain(x), pr.separate(plain, space).pair(0, 1)[1].separable
        for number in (4, 8, 16, 32) if options.full else (4, 8, 16):
            chosen = [np.random.default_rng(0).permutation(h[label == c])[:number] for c in (0, 1)]
            prototypes = [np.round(c * 256) / 256 for c in chosen]
            net = nearest(p, prototypes)
            seen = [float((vote(h, prototypes, k) == label).mean()) for k in (1, 3)]
            worst = pr.separate(net, space).classification.worst.margin
            rows.append([name, number, *seen, f"{float(worst):.4g}", worst > 0, line])
        drawn.append((name, net))
    write(options, "neighbours", HEADER, rows, draw(drawn, x, label))


def draw(drawn, x, label):
    """The decision of the last network of every layer."""
    figure, axes = plt.subplots(1, len(drawn), figsize=(4.6 * len(drawn), 5), layout="constrained")
    for ax, (name, net) in zip(axes, drawn, strict=True):
        plane(ax, net, x, label, ("disk", "annulus"))
        ax.set_title(f"hidden layer: {name}; k = 1")
    axes[0].legend(loc="upper right", fontsize=8, markerscale=4)
    return figure


if __name__ == "__main__":
    main()
