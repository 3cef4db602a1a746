"""Betti numbers of the images of two linked tori: persistence of samples beside the exact image.

G. Naitzat, A. Zhitnikov, L.-H. Lim, "Topology of deep neural networks", JMLR 21 (2020), follow
Betti numbers through the layers by persistent homology at a fixed scale. Here, for the
networks of linked_tori.py: the bars of the Rips complex of sampled images (gudhi) that are alive at
a scale at which the tori themselves have the right numbers, in units of the diameter of the image;
beside them the homology of the true image of each torus, exact.
"""

from pathlib import Path

import gudhi
import matplotlib.pyplot as plt
import numpy as np
from gallery import COLOURS, asked, write
from linked_tori import SHAPES, WANTED, sample
from training import ACTIVATIONS, exact, forward, trained

import polyrank as pr
from polyrank.topology import shape

HEADER = "network,torus,layer,points,scale,sampled_b0,sampled_b1,exact_b0,exact_b1,exact_b2,proved"
SCALE = 0.1


def persistent(cloud):
    """Bars of H_0 and H_1 alive at the scale, of points divided by their diameter."""
    wide = float(np.linalg.norm(np.ptp(cloud, axis=0))) or 1.0
    rips = gudhi.RipsComplex(points=cloud / wide, max_edge_length=SCALE)
    tree = rips.create_simplex_tree(max_dimension=1)
    tree.collapse_edges()  # the same persistence; a torus that collapses has all of its triangles
    tree.expansion(2)
    tree.compute_persistence(2, min_persistence=0)
    ends = [tree.persistence_intervals_in_dimension(d).reshape(-1, 2)[:, 1] for d in range(2)]
    return [int(np.isinf(e).sum()) for e in ends]


def main():
    """Both for every network, torus and layer; table and picture."""
    options, rows = asked(__file__, __doc__), []
    networks = trained(Path(__file__).with_name("linked_tori") / "weights.npz", WANTED, None)
    space = shape("linked-tori:16x8" if options.full else "linked-tori:8x6")
    number = 1200 if options.full else 800
    x, label = sample(np.random.default_rng(1), 2 * number)
    for key, p in networks.items():
        name, seed = key.split("/")
        kind = SHAPES[name][0]
        if int(seed) and not options.full:
            continue
        for torus in (0, 1):
            found = pr.image(exact(p, kind), space.of_class(torus))
            clouds = [x[label == torus]]
            clouds += [ACTIVATIONS[kind](z) for z in forward(p, clouds[0], kind)[:-1]]
            for layer, cloud in enumerate(clouds):
                b = (*found.groups(layer).betti, 0, 0)[:3]
                rows.append([key, torus, layer, number, SCALE, *persistent(cloud), *b, True])
    write(options, "persistence", HEADER, rows, draw(rows))


def draw(rows):
    """b_1 by layer, sampled and exact, of the first torus and of the second."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained", sharey=True)
    for ax, torus in zip(axes, (0, 1), strict=True):
        for colour, name in zip(COLOURS, SHAPES, strict=False):
            mine = [r for r in rows if r[0] == f"{name}/0" and r[1] == torus]
            ax.plot([r[2] for r in mine], [r[8] for r in mine], "s-", color=colour, label=name)
            ax.plot([r[2] for r in mine], [r[6] for r in mine], "o--", color=colour, mfc="white")
        ax.set(title=f"torus {torus}", xlabel="layer (0: M)", xticks=[0, 1, 2])
        ax.set_yscale("symlog", linthresh=4)
        ax.set_yticks(ticks := [0, 1, 2, 3, 10, 50], labels=ticks)
    axes[0].set_ylabel("b₁ of the image")
    axes[1].legend(frameon=False, title="solid: exact, dashed: persistence")
    return figure


if __name__ == "__main__":
    main()
