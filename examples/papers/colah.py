"""A disk in an annulus by ReLU layers of 2, 3 and 4 units: accuracy is sampled, the rest proved.

C. Olah, "Neural Networks, Manifolds, and Topology" (2014): a layer of two units cannot make the
disk and the annulus around it linearly separable, one of three units can. For every trained
network: whether the hidden images are disjoint or where they meet exactly, whether a hyperplane
separates them (both with certificates), and the least margin over all of the disk and the annulus,
which proves a classification right on every point. Weights: trained by training.py on 600 points.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from gallery import COLOURS, asked, plane, write
from training import accuracy, exact, forward, trained

import polyrank as pr
from polyrank.topology import shape

HEADER = "units,seed,sampled_accuracy,hidden_images,separable,least_margin,right_everywhere,meeting"
WANTED = {f"{k} {s}": ((2, k, 1), s, "relu") for k in (2, 3, 4) for s in range(8)}


def sample(rng, number):
    """Points of the disk of radius 1 (class 0) and of the annulus from 2 to 3 (class 1)."""
    label = np.arange(number) % 2
    radius = np.sqrt(np.where(label, rng.uniform(4, 9, number), rng.uniform(0, 1, number)))
    angle = rng.uniform(0, 2 * np.pi, number)
    return radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1), label


def main():
    """Train or read, decide, write the table, draw the picture."""
    options, rows, best = asked(__file__, __doc__), [], {}
    file = Path(__file__).with_name("colah") / "weights.npz"
    networks = trained(file, WANTED, sample(np.random.default_rng(0), 600))
    space = shape("disk-in-annulus:24" if options.full else "disk-in-annulus:12")
    x, label = sample(np.random.default_rng(1), 2000)
    for name, p in networks.items():
        k, seed = map(int, name.split())
        if seed >= 4 and not options.full:
            continue
        right = accuracy(p, x, label)
        found = pr.separate(exact(p, "relu"), space)
        hidden, worst = found.pair(0, 1)[1], found.classification.worst
        margin = float(worst.margin)
        at = "" if hidden.disjoint else " ".join(f"{float(v):.4g}" for v in hidden.images.image)
        right_all = found.classification.certified
        decided = [hidden.verdict, hidden.separable, f"{margin:.4g}", right_all]
        rows.append([k, seed, right, *decided, at])
        if k not in best or right > best[k][0]:
            best[k] = right, p
    write(options, "disk_in_annulus", HEADER, rows, draw(best, x, label))


def draw(best, x, label):
    """The plane with the boundary f = 0, and the hidden image, of the best networks of 2 and 3."""
    figure = plt.figure(figsize=(13, 3.6), layout="constrained")
    for n, k in enumerate((2, 3)):
        p = best[k][1]
        ax = figure.add_subplot(1, 4, 2 * n + 1)
        plane(ax, lambda v, p=p: forward(p, v)[-1], x, label, ("disk", "annulus"))
        ax.set_title(f"{k} units: data and boundary")
        deep = figure.add_subplot(1, 4, 2 * n + 2, projection="3d" if k == 3 else None)
        deep.set(title=f"{k} units: hidden image", xlabel="h₁", ylabel="h₂")
        for which in (0, 1):
            mine = x[label == which]
            deep.plot(*np.maximum(forward(p, mine)[0], 0).T, ".", color=COLOURS[which], ms=2)
        ax.legend(loc="upper right", fontsize=7, markerscale=4)
    return figure


if __name__ == "__main__":
    main()
