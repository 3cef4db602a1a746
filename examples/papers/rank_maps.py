"""The plane by rank, exactly: a new network, one trained on a regression, one on a classification.

K. Beshkov, G. T. Einevoll (arXiv 2404.19710): figure 1 is taken to be the decomposition of a plane
with a circle into regions of each rank by a random network, figure 4 the ranks of networks trained
on a continuous function of two variables (Styblinski and Tang's on [-5, 5]^2, standardised) and on
whether it is above its mean. For every layer and rank: the share of the area, exact, beside that
of 1,000 sampled points; regions, codeword sizes, and the components of the circle that are
collapsed to points. Trained by training.py on 2,000 points; 2-5-5-5-1 (full: 2-12-12-12-1).
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from gallery import COLOURS, asked, write
from training import trained

import polyrank as pr
from polyrank.topology import homology_table, restrict, shape

HEADER = "network,layer,rank,regions,codeword_size,sampled_share,share,collapsed_arcs,proved"
BOX = pr.Box([-5, -5], [5, 5])


def data(rng, number):
    """Points and values of Styblinski's and Tang's function, of mean 0 and deviation 1."""
    x = rng.uniform(-5, 5, (number, 2))
    f = (0.5 * (x**4 - 16 * x**2 + 5 * x)).sum(axis=1)
    return x / 5, (f - f.mean()) / f.std()


def networks(widths):
    """{name: network on the plane}; inputs were divided by 5 for training."""
    x, f = data(np.random.default_rng(0), 2000)
    folder, found = Path(__file__).with_suffix(""), {}
    name = "-".join(map(str, widths))
    found["new"] = pr.random_network(name, affine_output=True)
    for task, y in (("regression", f), ("classification", (f > 0).astype(float))):
        file, wanted = folder / f"{task}_{name}.npz", {task: (widths, 0, "relu")}
        p = trained(file, wanted, (x, y), square=task == "regression")[task]
        found[task] = pr.Network.from_arrays([p[0] / 5, *p[2::2]], p[1::2], name=task)
    return found


def main():
    """Enumerate, measure, write the table, draw the picture."""
    options, rows = asked(__file__, __doc__), []
    width, circle = 12 if options.full else 5, shape("circle:48,radius=3")
    figure, axes = plt.subplots(2, 3, figsize=(12, 7), layout="constrained")
    for (name, net), (top, low) in zip(networks([2, *[width] * 3, 1]).items(), axes.T, strict=True):
        points = np.random.default_rng(1).uniform(-5, 5, (1000, 2))
        seen, parts = pr.sample(net, points), homology_table(restrict(net, circle), rank=0)
        for k in range(1, 4):
            run = pr.enumerate_regions(pr.Network(net.layers[:k]), BOX)
            regions, words = run.regions(), np.concatenate(list(run.codewords()))
            area = [float(regions.exact(i).volume) / 100 for i in range(run.count)]
            area, size = np.array(area), words[:, -width:].sum(axis=1)
            rank = run.table.column(f"rank_{k}").to_numpy()
            for r in range(3):
                mine = rank == r
                share = seen.counts[seen.ranks.upper[:, k - 1] == r].sum() / 1000
                sizes = round(float(size[mine].mean()), 3) if mine.any() else ""
                here = [int(mine.sum()), sizes, share, f"{area[mine].sum():.6g}"]
                arcs = parts[k - 1].part.components if r == 0 else ""
                rows.append([name, k, r, *here, arcs, run.certified])
        run.plot(layer=3, ax=top)
        top.plot(*3 * np.array([np.cos(t := np.linspace(0, 2 * np.pi, 200)), np.sin(t)]), "k", lw=1)
        top.set_title(f"{name}: rank through layer 3", loc="left")
        for r, colour in zip(range(3), COLOURS, strict=False):
            mine = [row for row in rows if row[0] == name and row[2] == r]
            low.plot([1, 2, 3], [float(m[6]) for m in mine], "s-", color=colour, label=f"rank {r}")
            low.plot([1, 2, 3], [m[5] for m in mine], "o--", color=colour, mfc="white")
        low.set(xlabel="layer", ylabel="share of the area", xticks=[1, 2, 3], ylim=(-0.03, 1.03))
    low.legend(frameon=False, title="solid: exact, dashed: 1,000 points")
    write(options, "rank_maps", HEADER, rows, figure)


if __name__ == "__main__":
    main()
