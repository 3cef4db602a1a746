"""A circle through networks: quotients by the low-rank part beside the true image, all exact.

K. Beshkov, G. T. Einevoll (arXiv 2404.19710) collapse the low-rank part A of a manifold M; one
notebook collapses all of A to one point, another each of its components, under one name. K. Beshkov
(TMLR 2026) looks at overlaps instead. The homology of the image itself decides: the table counts,
over random networks, how often each quotient has the Betti numbers of the image, beside how often
no piece is collapsed and how often the layer is one-to-one on M (which is less: full rank does not
prevent overlaps). With POLYRANK_SHARED_DATA set, trained networks D-I of the second paper as well.
"""

import os
from pathlib import Path

import matplotlib.pyplot as plt
from gallery import COLOURS, asked, write

import polyrank as pr
from polyrank.topology import homology_table, restrict, shape

HEADER = "widths,layer,networks,nothing_collapsed,one_to_one,one_point,per_component,per_image"
QUOTIENTS = ("one_point", "per_component", "per_image")


def main():
    """Random networks; trained ones if they are there."""
    options = asked(__file__, __doc__)
    number, space, rows = 100 if options.full else 12, shape("circle:24"), []
    for widths in ("2-3", "2-5", "2-10", "2-3-3", "2-5-5"):
        layers = len(widths.split("-")) - 1
        counts = [[0] * 5 for _ in range(layers)]
        for seed in range(number):
            net = pr.random_network(widths, seed=seed, init="normal:0,1", bias="normal:0,1")
            images, one = pr.image(net, space), pr.homeomorphism(net, space)
            for k, found in enumerate(homology_table(restrict(net, space), rank=0)):
                true = images.groups(k + 1)
                same = [betti(getattr(found.homology, q)) == betti(true) for q in QUOTIENTS]
                facts = [found.part.components == 0, one.at(k + 1) is True, *same]
                counts[k] = [a + b for a, b in zip(counts[k], facts, strict=True)]
        rows += [[widths, k + 1, number, *found] for k, found in enumerate(counts)]
    write(options, "random", HEADER, rows, draw(rows))
    data = os.environ.get("POLYRANK_SHARED_DATA")
    if data and (folder := Path(data) / "beshkov_quotient").is_dir():
        write(options, "trained", "network,layer,H_0,H_1,one_to_one", trained(folder, options.full))


def betti(groups):
    """The Betti numbers that are not 0."""
    return {degree: b for degree, b in enumerate(groups.betti) if b}


def trained(folder, full):
    """The circle of radius 5 through the D-I networks, 2-15-...-15-2: the image at every layer."""
    space, rows = shape("circle:48,radius=5" if full else "circle:16,radius=5"), []
    for name in ("D-I_model_0", "D-I_model_2", "D-I_model_4"):
        net = pr.load(folder / f"{name}.pth")
        images, one = pr.image(net, space), pr.homeomorphism(net, space)
        layers = range(len(net.layers) + 1)
        rows += [[name, k, *images.groups(k).betti[:2], one.at(k)] for k in layers]
    return rows


def draw(rows):
    """Shares of networks by layer."""
    figure, ax = plt.subplots(figsize=(9, 4), layout="constrained")
    names = [
        "no piece collapsed",
        "one-to-one",
        *(f"M/A {q.replace('_', ' ')}: Betti of the image" for q in QUOTIENTS),
    ]
    for i, (name, colour) in enumerate(zip(names, COLOURS, strict=True)):
        x = [n + 0.16 * (i - 2) for n in range(len(rows))]
        ax.bar(x, [r[3 + i] / r[2] for r in rows], width=0.15, color=colour, label=name)
    ax.set_xticks(range(len(rows)), [f"{r[0]}\nlayer {r[1]}" for r in rows])
    ax.set(ylabel="share of networks", ylim=(0, 1.4))
    ax.legend(ncols=2, frameon=False, loc="upper center")
    return figure


if __name__ == "__main__":
    main()
