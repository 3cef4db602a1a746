"""Two linked tori through small networks: |·| against ReLU, narrow against wide, all decided.

G. Naitzat, A. Zhitnikov, L.-H. Lim, "Topology of deep neural networks", JMLR 21 (2020), classify
linked tori and look at Betti numbers of samples. Here, for every trained network, exactly: the
first layer where the images of the tori meet, with the point; the last where they are disjoint,
with a lower bound of the distance; linking numbers where the layer lives in R^3 (a layer that is
one-to-one on R^3 keeps them); and whether a hyperplane separates the last hidden images. Sampled
accuracy stands beside the least margin over all of both tori. Weights: training.py, 2,000 points.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from gallery import COLOURS, asked, write
from training import ACTIVATIONS, accuracy, exact, forward, trained

import polyrank as pr
from polyrank.topology import shape

HEADER = "network,seed,sampled_accuracy,first_meeting,linking,hidden_separable,least_margin,right"
SHAPES = {"relu 3-3": ("relu", (3, 3, 3, 1)), "abs 3-3": ("abs", (3, 3, 3, 1))}
SHAPES |= {"relu 8-8": ("relu", (3, 8, 8, 1)), "abs 8-8": ("abs", (3, 8, 8, 1))}
WANTED = {f"{n}/{s}": (w, s, kind) for n, (kind, w) in SHAPES.items() for s in range(4)}


def sample(rng, number):
    """Points of the two tori of shape("linked-tori"): ring 2 and tube 1/2, the second turned."""
    label = np.arange(number) % 2
    a, b = rng.uniform(0, 2 * np.pi, (2, number))
    r = 2 + 0.5 * np.cos(b)
    first = np.stack([r * np.cos(a), r * np.sin(a), 0.5 * np.sin(b)], 1)
    turned = first[:, [0, 2, 1]] + [2, 0, 0]
    return np.where(label[:, None], turned, first), label


def main():
    """Train or read, decide, write the table, draw the picture."""
    options, rows, drawn = asked(__file__, __doc__), [], {}
    file = Path(__file__).with_name("linked_tori") / "weights.npz"
    networks = trained(file, WANTED, sample(np.random.default_rng(0), 2000))
    space = shape("linked-tori:16" if options.full else "linked-tori:8")
    x, label = sample(np.random.default_rng(1), 4000)
    for key, p in networks.items():
        name, seed = key.split("/")
        kind = SHAPES[name][0]
        if int(seed) >= 2 and not options.full:
            continue
        right = accuracy(p, x, label, kind)
        found = pr.separate(exact(p, kind), space)
        pairs, worst = found.pair(0, 1), found.classification.worst
        meeting = found.first_meeting(0, 1)
        linking = [list(row.linking.divisors) if row.linking else "-" for row in pairs]
        linking = " ".join(str(d).replace(" ", "") for d in linking)
        decided = [pairs[-2].separable, f"{float(worst.margin):.4g}", worst.margin > 0]
        rows.append([name, seed, right, "none" if meeting is None else meeting, linking, *decided])
        if name not in drawn or right > drawn[name][0]:
            drawn[name] = right, p
    write(options, "linked_tori", HEADER, rows, draw(drawn, x, label))


def draw(drawn, x, label):
    """The tori, and their images after the first two layers of the narrow networks."""
    figure = plt.figure(figsize=(15, 3.6), layout="constrained")
    clouds = {"M": x}
    for name, kind in (("relu 3-3", "relu"), ("abs 3-3", "abs")):
        for k, z in enumerate(forward(drawn[name][1], x, kind)[:2]):
            clouds[f"{name}, layer {k + 1}"] = ACTIVATIONS[kind](z)
    for n, (title, cloud) in enumerate(clouds.items()):
        ax = figure.add_subplot(1, 5, n + 1, projection="3d", title=title)
        for which in (0, 1):
            mine = {"color": COLOURS[which], "label": f"torus {which}"}
            ax.plot(*cloud[label == which].T, ".", ms=1, **mine)
    figure.legend(*ax.get_legend_handles_labels(), loc="lower left", markerscale=6, frameon=False)
    return figure


if __name__ == "__main__":
    main()
