"""Betti numbers of shapes: persistence of samples beside the homology of triangulations.

G. Naitzat, A. Zhitnikov, L.-H. Lim, JMLR 21 (2020), and others read Betti numbers off samples. Here
the alpha complex of random points (gudhi) gives those bars that are alive at one radius, over Z/2
and over Z/11, which has the Betti numbers over Q of all shapes here; beside them the exact groups
of a triangulation. A Klein bottle has (1, 1, 0) over Q and (1, 2, 1) over Z/2, for H_1 = Z + Z/2;
one published table says (1, 2, 0), which belongs to no field: the alternating sum is 0 over each.
"""

import gudhi
import matplotlib.pyplot as plt
import numpy as np
from gallery import COLOURS, asked, write

from polyrank.topology import homology, shape

HEADER = "shape,coefficients,points,radius,sampled,exact,torsion,alternating_sum,proved"
SHAPES = {"circle:48": 0.3, "sphere:6": 0.35, "torus:24x16": 0.6, "klein:24x16": 0.5}
SHAPES |= {"moebius:32x4": 0.15, "linked-tori:24x12": 0.4}


def sample(space, number, rng):
    """Random points of the triangles (or edges), by area (or length)."""
    corners = space.points.approx[space.simplices[-1]]
    sides = corners[:, 1:] - corners[:, :1]
    size = np.sqrt(np.linalg.det(sides @ sides.transpose(0, 2, 1)))
    chosen = corners[rng.choice(len(size), number, p=size / size.sum())]
    return (chosen * rng.dirichlet(np.ones(chosen.shape[1]), number)[:, :, None]).sum(axis=1)


def main():
    """Sample, compute, write the table, draw the bars."""
    options, rows, bars = asked(__file__, __doc__), [], {}
    number = 4000 if options.full else 1500
    for text, radius in SHAPES.items():
        space, name = shape(text), text.split(":")[0]
        cloud = sample(space, number, np.random.default_rng(0))
        tree = gudhi.AlphaComplex(points=cloud).create_simplex_tree()
        for field, prime in (("2", 2), ("Q", 11)):
            found = homology(space.complex, field)
            tree.compute_persistence(prime, min_persistence=0)
            ends = [np.sqrt(tree.persistence_intervals_in_dimension(d)) for d in range(3)]
            alive = [int(((e[:, 0] <= radius) & (e[:, 1] > radius)).sum()) for e in ends]
            alive, b = alive[: len(found.betti)], found.betti
            shown = " ".join(map(str, alive)), " ".join(map(str, b)), homology(space.complex)
            torsion = " ".join(str(list(t)) for t in shown[2].torsion if t)
            euler = sum((-1) ** d * v for d, v in enumerate(b))
            rows.append([name, field, number, radius, *shown[:2], torsion, euler, True])
            bars[name, field] = ends
    write(options, "betti", HEADER, rows, draw(bars))


def draw(bars):
    """Persistent bars of the Klein bottle over both fields."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained", sharex=True)
    for ax, field in zip(axes, ("2", "Q"), strict=True):
        ends, line = bars["klein", field], 0
        for d, own in enumerate(ends):
            longest = own[np.argsort(np.minimum(own[:, 1], 9) - own[:, 0])][-6:]
            for k, (birth, death) in enumerate(longest):
                label = f"H_{d}" if k == 0 else None
                ax.plot([birth, min(death, 1.6)], [line] * 2, color=COLOURS[d], lw=3, label=label)
                line += 1
        ax.axvline(SHAPES["klein:24x16"], color="black", ls="--", lw=1, label="radius of the table")
        name = "Z/2: exact (1, 2, 1)" if field == "2" else "Z/11: exact over Q (1, 1, 0)"
        ax.set(title=f"Klein bottle over {name}", xlabel="radius of the alpha complex", yticks=[])
    axes[0].legend(frameon=False)
    return figure


if __name__ == "__main__":
    main()
