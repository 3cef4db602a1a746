"""An interval between two others on the line: one monotone unit never separates it, two do.

C. Olah, "Neural Networks, Manifolds, and Topology" (2014), the example in one dimension: class 0 is
[-1, 1], class 1 is [-3, -2] and [2, 3]. A network of width 1 with a monotone activation is a
monotone function, positive on no two sides of an interval: a theorem for all weights, checked on
each trained network exactly: the hidden images meet, or no point of the line separates them. Two
units bend the line into a curve in the plane, |·| folds it: proved right on every point by their
least margin. tanh has no exact margin: its hidden layer is one-to-one on the line, since W ≠ 0.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from gallery import COLOURS, asked, write
from training import ACTIVATIONS, accuracy, exact, forward, trained

import polyrank as pr
from polyrank.topology import build_manifold

HEADER = "network,seed,monotone,sampled_accuracy,hidden_images,separable,least_margin,right"
SHAPES = {"1-1-1 relu": (1, 1, 1), "1-1-1-1 leaky": (1, 1, 1, 1), "1-2-1 relu": (1, 2, 1)}
SHAPES |= {"1-1-1 abs": (1, 1, 1), "1-2-1 tanh": (1, 2, 1)}
WANTED = {f"{n}/{s}": (w, s, n.split()[1]) for n, w in SHAPES.items() for s in range(4)}


def sample(number):
    """Equally many equally spaced points of both classes."""
    near, far = np.linspace(-1, 1, number), np.linspace(2, 3, number // 2)
    return np.concatenate([near, -far, far])[:, None], np.repeat([0, 1], number)


def main():
    """Train or read, decide, write the table, draw the picture."""
    options, rows, drawn = asked(__file__, __doc__), [], {}
    points = [[-1], [1], [-3], [-2], [2], [3]]
    space = build_manifold(points, [[[0, 1], [2, 3], [4, 5]]], "line", labels=[[0, 1, 1]])
    networks = trained(Path(__file__).with_suffix("") / "weights.npz", WANTED, sample(100))
    x, label = sample(1000)
    for key, p in networks.items():
        name, seed = key.split("/")
        kind = name.split()[1]
        if int(seed) and not options.full:
            continue
        right = accuracy(p, x, label, kind)
        monotone = SHAPES[name][1] == 1 and kind != "abs"
        if kind == "tanh":
            decided = ["disjoint" if any(w != 0 for w in p[0].flat) else "", "", "", ""]
        else:
            found = pr.separate(exact(p, kind), space)
            last, worst = found.pair(0, 1)[-2], found.classification.worst.margin
            decided = [last.verdict, last.separable, f"{float(worst):.4g}", worst > 0]
        rows.append([name, seed, monotone, right, *decided])
        drawn.setdefault(name, p)
    write(options, "line", HEADER, rows, draw(drawn, x, label))


def draw(drawn, x, label):
    """The output on the line, and the line in the plane of two units."""
    figure, (left, *planes) = plt.subplots(1, 3, figsize=(12, 4), layout="constrained")
    t = np.linspace(-3.3, 3.3, 400)[:, None]
    for colour, (name, p) in zip(COLOURS, drawn.items(), strict=True):
        f = forward(p, t, name.split()[1])[-1][:, 0]
        left.plot(t, f / np.abs(f).max(), color=colour, label=name)
    left.axhline(0, color="grey", lw=0.8)
    for a, b, which in ((-1, 1, 0), (-3, -2, 1), (2, 3, 1)):
        left.plot([a, b], [-1.1, -1.1], color=COLOURS[which], lw=5)
    left.set(xlabel="x (bars: class 0 inside, 1 outside)", ylabel="f(x) / max |f|")
    left.legend(frameon=False, fontsize=8)
    for ax, name in zip(planes, ("1-2-1 relu", "1-2-1 tanh"), strict=True):
        p, kind = drawn[name], name.split()[1]
        for part, colour in ((t, "0.7"), *((x[label == c], COLOURS[c]) for c in (0, 1))):
            h = ACTIVATIONS[kind](forward(p, part, kind)[0])
            ax.plot(*h.T, ".", ms=3, color=colour)
        ax.set(title=f"{name}: the line in the plane", xlabel="h₁", ylabel="h₂")
    return figure


if __name__ == "__main__":
    main()
