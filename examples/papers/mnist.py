"""Exact ranks of MNIST images, and of noise, through one network: new, trained, on shuffled labels.

K. Beshkov, G. T. Einevoll (arXiv 2404.19710): figure 3 is taken to be the ranks before and after
training on MNIST, of test images and of Gaussian noise. Here 784-32-32-10 when new, trained on the
digits, and on shuffled labels: exact ranks, and in how many regions the points lie. Needs the
images (POLYRANK_SHARED_DATA/mnist, IDX files); trained by scikit-learn on 4,000, float16.
"""

import gzip
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from gallery import COLOURS, asked, write

import polyrank as pr

HEADER = "network,data,layer,points,accuracy,regions,least_rank,mean_rank,greatest_rank,proved"
FILE = Path(__file__).with_name("mnist") / "weights.npz"


def idx(name, offset):
    """The bytes of an IDX file after its header."""
    folder = Path(os.environ.get("POLYRANK_SHARED_DATA", "../shared/data")) / "mnist"
    with gzip.open(folder / f"{name}.gz") as file:
        return np.frombuffer(file.read()[offset:], np.uint8)


def train():
    """Write the weights of the trained networks to the file."""
    from sklearn.neural_network import MLPClassifier  # noqa: PLC0415  (only to train)

    x = idx("train-images-idx3-ubyte", 16)[: 4000 * 784].reshape(-1, 784) / 255
    label, found = idx("train-labels-idx1-ubyte", 8)[:4000], {}
    for name, y in (("digits", label), ("shuffled", np.random.default_rng(0).permutation(label))):
        model = MLPClassifier((32, 32), max_iter=60, random_state=0, alpha=0, tol=0).fit(x, y)
        for i, (W, b) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
            found |= {f"{name}/W{i}": W.T.astype(np.float16), f"{name}/b{i}": b.astype(np.float16)}
    FILE.parent.mkdir(exist_ok=True)
    np.savez_compressed(FILE, **found)


def networks():
    """{name: network}: new, trained on the digits, and on shuffled labels."""
    if not FILE.exists():
        train()
    kept, found = np.load(FILE), {"new": pr.random_network("784-32-32-10", affine_output=True)}
    for name in ("digits", "shuffled"):
        weights, biases = ([kept[f"{name}/{p}{i}"] for i in range(3)] for p in "Wb")
        found[name] = pr.Network.from_arrays(weights, biases, name=name)
    return found


def main():
    """Ranks at images and noise, table and picture."""
    options, rows = asked(__file__, __doc__), []
    number = 10_000 if options.full else 300
    x = idx("t10k-images-idx3-ubyte", 16).reshape(-1, 784)[:number] / 255
    label = idx("t10k-labels-idx1-ubyte", 8)[:number]
    noise = np.random.default_rng(0).normal(size=x.shape)
    figure, axes = plt.subplots(2, 3, figsize=(11, 6), layout="constrained")
    for colour, (name, net) in zip(COLOURS, networks().items(), strict=False):
        for data, cloud, line in (("images", x, axes[0]), ("noise", noise, axes[1])):
            found = pr.sample(net, cloud)
            right = round((net(cloud).argmax(1) == label).mean(), 4) if data == "images" else ""
            for k, ax in enumerate(line):
                low, high = found.ranks.lower[:, k], found.ranks.upper[:, k]
                mean = round(float(np.average(high, weights=found.counts)), 3)
                shown = [right, len(high), high.min(), mean, high.max(), (low == high).all()]
                rows.append([name, data, k + 1, number, *shown])
                bars = np.bincount(high, weights=found.counts, minlength=33)
                ax.step(range(33), bars, where="mid", label=name, color=colour)
                ax.set(xlabel=f"exact rank through layer {k + 1}", ylabel=f"points ({data})")
    axes[0, 0].legend(frameon=False)
    write(options, "ranks", HEADER, rows, figure)


if __name__ == "__main__":
    main()
