"""A disk in an annulus: no network of two units is right, one of three units is, as theorems.

C. Olah, "Neural Networks, Manifolds, and Topology" (2014): two units are too few. For two ReLUs,
f(x) = c + a · relu(W x + b), this proof finds the error. If W is regular let W d = e with e_i = -1
where a_i ≥ 0 and e_i = 1 elsewhere; else let W d = 0. Along t d, t ≥ 0, no term of f increases:
f(t d) ≤ f(0), so that the centre of the disk is wrong, or t d in the annulus. (Deeper networks of
width 2 with monotone activations are limits of embeddings of the plane; no line separates what a
curve surrounds from it.) Three units suffice, by the least margin over all of polygons that contain
the round disk and annulus.
"""

from fractions import Fraction
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from colah import sample
from gallery import COLOURS, asked, plane, write
from training import exact

import polyrank as pr
from polyrank.complex.level_set import level_homology, level_set
from polyrank.topology import shape

HEADER = "units,networks,number,best_sampled_accuracy,proved_wrong,least_margin,at_x,at_y"
HEADER += ",f_centre,f_at"
THREE = [[1, 0], [-1 / 2, 7 / 8], [-1 / 2, -7 / 8]], [0, 0, 0], [[1, 1, 1]], [-11 / 8]
ROUND = "disk-in-annulus:24,disk=1.01,inner=2,outer=3.03"  # 1.01 cos(π/24) > 1


def error(net):
    """A point q of the annulus with f(q) ≤ f(0), and both values, all exact."""
    p, q, r, s = (Fraction(str(v)) for v in net.layers[0].weight_exact.entries())
    u, v = (-1 if a >= 0 else 1 for a in net.layers[1].weight_exact.entries())
    d = [s * u - q * v, p * v - r * u]  # det W · W⁻¹ e
    if (det := p * s - q * r) == 0:
        d = next(([-b, a] for a, b in ((p, q), (r, s)) if (a, b) != (0, 0)), [1, 0])
    far = Fraction(2.5 / float(np.hypot(*map(float, d)))) * (-1 if det < 0 else 1)
    at = [far * v for v in d]
    centre, there = net([Fraction(0)] * 2)[0], net(at)[0]
    if not (4 <= at[0] ** 2 + at[1] ** 2 <= 9 and there <= centre):
        raise ArithmeticError(f"the theorem fails at {at}")
    return at, centre, there


def main():
    """Every network of two units is refuted, the one of three units is proved."""
    options, rows = asked(__file__, __doc__), []
    x, label = sample(np.random.default_rng(1), 2000)
    kept, number = np.load(Path(__file__).with_name("colah") / "weights.npz"), 200
    two = {"trained": [exact([kept[f"2 {s}/{i}"] for i in range(4)], "relu") for s in range(8)]}
    seeds = range(10 * number if options.full else number)
    two["new"] = [pr.random_network("2-2-1", seed=s, affine_output=True) for s in seeds]
    for name, networks in two.items():
        right = [((net(x)[:, 0] > 0) == label).mean() for net in networks]
        found, best = [error(net) for net in networks], int(np.argmax(right))
        shown = [f"{float(v):.4g}" for v in (*found[best][0], *found[best][1:])]
        rows.append([2, name, len(networks), max(right), len(found), "", *shown])
    wrong, (at, *_) = two["trained"], error(two["trained"][0])
    three = pr.Network.from_arrays(THREE[::2], THREE[1::2])
    margin = float(pr.separate(three, shape(ROUND)).classification.worst.margin)
    right = ((three(x)[:, 0] > 0) == label).mean()
    rows.append([3, "given", 1, right, 0, f"{margin:.4g}", "", "", "", ""])
    figure, axes = plt.subplots(1, 2, figsize=(9.5, 5), layout="constrained")
    for ax, net in zip(axes, (wrong[0], three), strict=True):
        plane(ax, net, x, label, ("disk", "annulus"))
    axes[0].plot(
        [0, float(at[0])], [0, float(at[1])], "o-", color=COLOURS[2], label="f does not rise"
    )
    axes[0].set_title("two units, trained, f = 0 in black;\none end of the segment is wrong")
    axes[0].legend(loc="upper right", fontsize=8, markerscale=2)
    edge = level_set(three, pr.Box(-4, 4))
    groups = level_homology(edge)
    axes[1].set_title(f"three units: f = 0 has {edge.f_vector[1]} edges,\nits homology is {groups}")
    write(options, "units", HEADER, rows, figure)


if __name__ == "__main__":
    main()
