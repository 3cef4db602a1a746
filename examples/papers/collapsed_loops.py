"""Circles and tori of which a network collapses arcs or loops: three quotients, the true image.

K. Beshkov, G. T. Einevoll (arXiv 2404.19710) predict what collapsing n arcs of a circle, or a loop
of a torus (contractible, inner, outer), does to homology; equations 12-15 are taken to be these
predictions. Here networks collapse such a part A. M/A glues A to one point, "per component" each
component to its own, "per image" those of one image; "image" is the homology of the image itself:
folded loops have the A of embedded ones and another image. "Sampled" arcs: what 100 points see.
"""

import matplotlib.pyplot as plt
import numpy as np
from gallery import asked, write

import polyrank as pr
from polyrank.topology import homology_table, restrict, shape

HEADER = "case,sampled_arcs,components,one_point,per_component,per_image,image,proved"
AXES = np.array([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]])
STEEP = np.vstack([AXES, 0.75 * np.array([[1.0, 1, 0], [-1, -1, 0], [1, -1, 0], [-1, 1, 0]])])
CLIP = [[[1.0, 0], [1, 0], [0, 1], [0, 1]], [[1.0, -1, 0, 0], [0, 0, 1, -1]]]


def caps(n, spread):
    """Dead on n arcs; on each cap between them two units (or, if spread is 0, one) are live."""
    middle = 2 * np.pi * (np.arange(n) + 0.5) / n
    angle = np.unique([middle - spread, middle + spread])
    weight = np.stack([np.cos(angle), np.sin(angle)], 1)
    return [weight], [np.full(len(angle), -np.cos(0.7 * np.pi / n - spread))]


def cases(full):
    """{name: (manifold, weights, biases)}; the last layer has a ReLU."""
    found, size = {}, "32x24" if full else "16x12"
    for n in (3, 4, 6) if full else (3,):
        for kind, spread in (("embedded", 0.1 / n), ("folded", 0.0)):
            found[f"circle, {n} arcs, loops {kind}"] = f"circle:{16 * n}", *caps(n, spread)
    found["circle clipped to a square"] = "circle:24,radius=2", CLIP, [[1.0, -1, 1, -1], [0.0, 0]]
    found["torus, contractible loop"] = f"torus:{size}", [AXES[:2]], [[-2.625, 2.25]]
    found["torus, inner loop"] = f"torus:{size}", [AXES], [[-1.25] * 4]
    found["torus, outer loop"] = f"torus:{size}", [STEEP, [[-1.0] * 8]], [[-0.5] * 8, [5.0]]
    found["torus, both loops"] = f"torus:{size}", [AXES, [[-1.0] * 4]], [[-1.25] * 4, [0.25]]
    return found


def main():
    """Decide, write the table, draw the picture."""
    options, rows, drawn = asked(__file__, __doc__), [], {}
    for name, (text, weights, biases) in cases(options.full).items():
        net, space = pr.Network.from_arrays(weights, biases, output_relu=True), shape(text)
        last, images = homology_table(restrict(net, space), rank=0)[-1], pr.image(net, space)
        groups = [getattr(last.homology, q) for q in ("one_point", "per_component", "per_image")]
        seen = sampled(net, 2 if "=2" in text else 1) if "circle" in text else ""
        rows.append([name, seen, last.part.components, *groups, images.groups(len(weights)), True])
        drawn[name] = images
    write(options, "collapsed_loops", HEADER, rows, draw(drawn))


def sampled(net, radius):
    """Arcs of a circle on which 100 equally spaced points have one image."""
    h = radius * np.exp(np.arange(100)[:, None] * np.pi / 50j).view(float)
    for layer in net.layers:
        h = np.maximum(h @ layer.weight.approx.T + layer.bias.approx, 0)
    same = np.isclose(h, np.roll(h, 1, axis=0)).all(axis=1)
    return int((same & ~np.roll(same, 1)).sum())


def draw(drawn):
    """M of every case, with what is collapsed in red."""
    figure = plt.figure(figsize=(1.6 * len(drawn) + 2, 6.4), layout="constrained")
    for i, (name, images) in enumerate(drawn.items(), 1):
        space = {"projection": "3d", "elev": 55} if "torus" in name else {"aspect": "equal"}
        ax = figure.add_subplot(2, (len(drawn) + 1) // 2, i, **space)
        images.plot(0, ax=ax)
        ax.set_title(f"{name}\n(red: rank 0)", fontsize=9, loc="left")
        ax.get_legend().remove()
    return figure


if __name__ == "__main__":
    main()
