"""Triangles between MNIST digits through one network: every region, beside what samples see.

K. Beshkov, G. T. Einevoll (arXiv 2404.19710) and others look at networks on planes through images.
Here the triangle of three test images, and the segments between them, through the 784-32-32-10
networks of mnist.py: new, trained on the digits, trained on shuffled labels. Exact: the regions on
the triangle, the classes on it, and the least rank on all of R^784 of the codewords in it, beside
the regions, classes and least rank that 1,000 points of the triangle see.
"""

import matplotlib.pyplot as plt
import numpy as np
from gallery import asked, write
from mnist import idx, networks

import polyrank as pr
from polyrank.sampling.slices import ambient_ranks

HEADER = "network,digits,sampled_regions,regions,sampled_least_rank,least_rank,sampled_classes"
HEADER += ",segment_regions,proved"


def classes(net, points):
    """Digits that a network sees, by floats."""
    return sorted(set(net(points).argmax(axis=1).tolist()))


def main():
    """Slices, table and picture."""
    options, rows = asked(__file__, __doc__), []
    x = idx("t10k-images-idx3-ubyte", 16).reshape(-1, 784) / 255
    label = idx("t10k-labels-idx1-ubyte", 8)
    first = {d: x[np.flatnonzero(label == d)[0]] for d in range(10)}
    triples = [(0, 1, 2), (3, 5, 8), (4, 7, 9)]
    if options.full:
        triples += [(0, 6, 9), (1, 4, 7), (2, 3, 7), (5, 6, 8)]
    figure, axes = plt.subplots(2, 3, figsize=(13, 8), layout="constrained")
    weights = np.random.default_rng(0).dirichlet(np.ones(3), 1000)
    for (name, net), drawn in zip(networks().items(), axes.T, strict=True):
        for triple in triples:
            corners = np.stack([first[d] for d in triple])
            run = pr.slice(net, corners)
            ranks = ambient_ranks(run, net).ranks
            seen = pr.sample(net, weights @ corners)
            pairs = [pr.slice(net, corners[[i, j]]).count for i, j in ((0, 1), (1, 2), (2, 0))]
            least = seen.ranks.upper[:, 1].min(), ranks.upper[:, 1].min()
            found = "".join(map(str, classes(net, weights @ corners)))
            certain = run.certified and ranks.exact
            shown = [len(seen.counts), run.count, *least, found, " ".join(map(str, pairs)), certain]
            rows.append([name, "-".join(map(str, triple)), *shown])
            if triple == triples[0]:
                for ax, colour in zip(drawn, ("ambient-rank", "class"), strict=True):
                    run.plot(colour=colour, layer=2, ax=ax)
                    what = "rank" if colour == "ambient-rank" else "class"
                    ax.set_title(f"{name}: digits 0, 1, 2 by {what}", loc="left", fontsize=11)
    write(options, "slices", HEADER, rows, figure)


if __name__ == "__main__":
    main()
