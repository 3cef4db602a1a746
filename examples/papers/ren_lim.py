"""Linked tori of radii 15 and 2 in layers of width 3: linking numbers, sampled and exact.

J. Ren, L.-H. Lim, "Low-dimensional topology of deep neural networks" (ICML 2026, arXiv 2606.31856).
Theorem 2 is taken to be: layers R^3 → R^3 with continuous monotone activations never unlink. (They
are limits of homeomorphisms, which keep |lk|; if the limits of both images are disjoint, nothing
crosses on the way.) So where the images are disjoint |lk| = 1, and no hyperplane separates them:
checked here, exactly, at every layer of every trained network. |·| and width 6 need not:
the given network of |·| separates all of both tori by a plane.
"Sampled" is Gauss' integral over the images of 200 points of the core of each torus.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from gallery import COLOURS, asked, write
from links import gauss, tori
from training import ACTIVATIONS, accuracy, exact, forward, trained

import polyrank as pr
from polyrank.topology import shape

HEADER = "network,seed,layer,monotone,sampled_accuracy,sampled_lk,images,lk,separable"
HEADER += ",theorem_2,right"
SHAPES = {f"{kind} 3-3-3": (kind, (3, 3, 3, 3, 1)) for kind in ("relu", "leaky", "abs")}
SHAPES |= {"relu 6-6": ("relu", (3, 6, 6, 1))}
WANTED = {f"{n}/{s}": (w, s, kind) for n, (kind, w) in SHAPES.items() for s in range(4)}
ONE, FOLD = np.eye(3), np.array([-1.0, 0, 0])
GIVEN = [ONE, FOLD, ONE, FOLD, np.array([[-1.0, -1, 1]]), np.array([0.5])]  # |x - 1|, |y|, |z|


def main():
    """Train or read, decide, write the table, draw the picture."""
    options, rows, file = asked(__file__, __doc__), [], Path(__file__).with_name("ren_lim")
    x = tori(*np.random.default_rng(0).uniform(0, 2 * np.pi, (2, 2000))).reshape(-1, 3)
    label = np.repeat([0, 1], 2000)
    networks = trained(file / "weights.npz", WANTED, (x[::2], label[::2]))
    size, t = "16x8" if options.full else "8x6", np.arange(200) * np.pi / 100
    space = shape(f"linked-tori:{size},ring=15,tube=2,scale=1/15")
    for key, p in [*networks.items(), ("abs 3-3/given", GIVEN)]:
        name, seed = key.split("/")
        kind = name.split()[0]
        if seed in "12" and not options.full:
            continue
        right = accuracy(p, x, label, kind)
        found, monotone = pr.separate(exact(p, kind), space), kind != "abs" and p[0].shape == (3, 3)
        cores = tori(t, 0 * t, tube=0)
        images = [[c, *(ACTIVATIONS[kind](z) for z in forward(p, c, kind))] for c in cores]
        for row in found.pair(0, 1)[:-1]:
            a, b = (own[row.layer] for own in images)
            seen = gauss(a, b) if a.shape[1] == 3 else ""
            number = sum(row.linking.divisors) if row.linking else ""
            holds = not row.separable and (not row.disjoint or number == 1) if monotone else ""
            decided = [row.verdict, number, row.separable, holds, found.classification.certified]
            rows.append([name, seed, row.layer, monotone, right, seen, *decided])
    write(options, "linking", HEADER, rows, draw(rows))


def draw(rows):
    """|lk| by layer: sampled, and exact where the images are disjoint."""
    figure, axes = plt.subplots(1, 4, figsize=(14, 3.8), layout="constrained", sharey=True)
    for ax, name in zip(axes, ("relu 3-3-3", "leaky 3-3-3", "abs 3-3-3", "abs 3-3"), strict=True):
        for r in [r for r in rows if r[0] == name]:
            c = COLOURS[int(r[1]) if r[1].isdecimal() else 4]
            if r[5] != "":
                ax.plot(r[2], r[5], "o", mec=c, mfc="white", zorder=3)
            ax.plot(r[2], -0.15 if r[7] == "" else r[7], "x" if r[7] == "" else "s", color=c, ms=10)
        ax.set_title(name if "-3-" in name else f"{name}, given")
        ax.set(xlabel="layer (0: the tori)", xticks=range(4), ylim=(-0.3, 1.2))
    axes[0].set_ylabel("|linking number|")
    for style, text in (("s", "exact"), ("x", "images meet"), ("ow", "Gauss, 200 points")):
        axes[3].plot([], [], style[0], mec="black", mfc=style[1:] or "black", label=text)
    axes[3].legend(frameon=False, loc="upper right", title="colours: seeds")
    return figure


if __name__ == "__main__":
    main()
