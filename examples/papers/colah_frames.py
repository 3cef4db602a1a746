"""The plane moving through the layers of colah_layers.py: frames as a strip and as a GIF.

C. Olah, "Neural Networks, Manifolds, and Topology" (2014), shows a layer as a motion. Every point
goes on straight lines, first to W h + b, then to its activation. The frames are floats; the table
says of every step between two stages whether it is one-to-one at all times (affine: det((1 - t) I
+ t W) ≠ 0, exact; activation: a strictly increasing function, by theorem).
"""

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
from colah_layers import LINES, networks, sample, show, stages
from gallery import asked, write
from matplotlib import animation
from training import exact

HEADER = "activation,layer,step,frames,sampled_least_det,one_to_one_at_all_times,proved"


def morph(places, steps):
    """From each stage to the next on straight lines."""
    for a, b in pairwise(places):
        yield from (a + (b - a) * s / steps for s in range(steps))
    yield places[-1]


def straight(w):
    """Whether (1 - t) I + t W is regular for all t in [0, 1]: W has no eigenvalue ≤ 0."""
    det, trace = w.det(), w[0, 0] + w[1, 1]
    return det > 0 and (trace > 0 or trace * trace < 4 * det)


def main():
    """The table, a strip of one frame per stage, and a GIF per activation."""
    options, rows = asked(__file__, __doc__), []
    x, label = sample(600)
    steps = 12 if options.full else 5
    figure, axes = plt.subplots(3, 7, figsize=(17.5, 8), layout="constrained")
    for (kind, p), across in zip(networks().items(), axes, strict=True):
        t = np.linspace(0, 1, steps + 1)
        for k, layer in enumerate(exact(p, "leaky" if kind == "tanh" else kind).layers[:-1], 1):
            w = p[2 * k - 2].astype(float)
            least = min(np.linalg.det((1 - s) * np.eye(2) + s * w) for s in t)
            regular = straight(layer.weight_exact)
            rows.append([kind, k, "affine", steps, f"{least:.4g}", regular, True])
            rows.append([kind, k, "activation", steps, "", kind != "relu", True])
        moving = [list(morph(stages(p, q, kind), steps)) for q in (x, *LINES)]
        for i, ax in enumerate(across):
            show(ax, [line[i * steps] for line in moving[1:]], moving[0][i * steps], label)
            name = f"layer {(i + 1) // 2}, {'W h + b' if i % 2 else 'activation'}"
            ax.set_title(f"{kind}: {name if i else 'the plane'}", fontsize=9)
        save(options, kind, moving, label)
    axes[0, 0].legend(markerscale=4, loc="upper left", fontsize=7)
    write(options, "frames", HEADER, rows, figure)


def save(options, name, moving, label):
    """``name.gif``, if pillow is there."""
    options.output.mkdir(parents=True, exist_ok=True)
    figure, ax = plt.subplots(figsize=(3.2, 3), layout="constrained")

    def step(i):
        ax.clear()
        show(ax, [line[i] for line in moving[1:]], moving[0][i], label)

    if animation.writers.is_available("pillow"):
        made = animation.FuncAnimation(figure, step, frames=len(moving[0]))
        made.save(options.output / f"{name}.gif", writer="pillow", fps=8, dpi=70)
    plt.close(figure)


if __name__ == "__main__":
    main()
