"""What the scripts of this folder share: their options, their tables, their colours."""

import argparse
import csv
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000"]  # Okabe and Ito
__all__ = ["COLOURS", "asked", "plane", "sampled_and_proved", "write"]


def asked(script, documentation):
    """Options of all scripts; ``--output`` is by default a folder beside the script."""
    mpl.use("Agg")
    parser = argparse.ArgumentParser(description=documentation.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="the published sizes, not a minute's")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--seconds", type=float, help="limit of one search (20, with --full 1)")
    parser.add_argument("--output", type=Path, default=Path(script).with_suffix(""))
    options = parser.parse_args()
    options.seconds = options.seconds or (1 if options.full else 20)
    return options


def write(options, name, header, rows, figure=None):
    """``name.csv`` and ``name.png`` in the folder of the options."""
    options.output.mkdir(parents=True, exist_ok=True)
    with (options.output / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header.split(","), *rows])
    if figure is not None:
        figure.savefig(options.output / f"{name}.png", dpi=110)
        plt.close(figure)


def sampled_and_proved(ax, x, sampled, low, high, colour, label, *, greatest=False):
    """Dashed and open: sampled. Solid: proved. A thick bar: an interval that is not settled."""
    ax.plot(x, low if greatest else high, "s-", color=colour, label=label)
    ax.plot(x, sampled, "o--", color=colour, mfc="white")
    ax.vlines(x, low, high, color=colour, alpha=0.4, lw=5)


def plane(ax, f, x, label, names, *, reach=3.2):
    """Points of two classes in the plane, and the line f = 0 in black."""
    u = np.linspace(-reach, reach, 201)
    values = f(np.stack(np.meshgrid(u, u), -1).reshape(-1, 2)).reshape(201, 201)
    ax.contour(u, u, values, [0], colors="black")
    for which, name in enumerate(names):
        ax.plot(*x[label == which].T, ".", color=COLOURS[which], ms=2, label=name)
    ax.set(xlabel="x₁", ylabel="x₂", aspect="equal")
