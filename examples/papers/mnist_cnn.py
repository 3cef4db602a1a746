"""Exact ranks of MNIST images through a convolutional network, on true and on random labels.

K. Beshkov, G. T. Einevoll (arXiv 2404.19710) compare networks trained on true and on random labels.
Here Conv(8, 5x5, stride 2), ReLU, Conv(12, 3x3, stride 2), ReLU, Linear(10), with 1,152 and 300
units: new, trained on the labels of 2,000 images, and on random ones (cnn_training.py; float16).
Exact: the rank of the map through every layer at each image and at noise, proved; sampled: accuracy
on the training images and on test images. Needs the images (POLYRANK_SHARED_DATA/mnist).
"""

import matplotlib.pyplot as plt
import numpy as np
from cnn import networks, random_labels
from gallery import COLOURS, asked, write
from mnist import idx

import polyrank as pr

HEADER = "network,data,layer,points,train_accuracy,test_accuracy,least_rank"
HEADER += ",mean_rank,greatest_rank,proved"


def main():
    """Ranks, table and picture."""
    options, rows = asked(__file__, __doc__), []
    read = {n: idx(f"{n}-images-idx3-ubyte", 16).reshape(-1, 784) / 255 for n in ("train", "t10k")}
    label = {n: idx(f"{n}-labels-idx1-ubyte", 8).astype(int) for n in read}
    x, y = read["train"][:2000], label["train"][:2000]
    number = 1000 if options.full else 60
    noise = np.random.default_rng(0).normal(size=(number, 784))
    figure, axes = plt.subplots(2, 2, figsize=(10, 7), layout="constrained")
    for colour, (name, net) in zip(COLOURS, networks(x, y).items(), strict=False):
        taught = random_labels() if name == "random labels" else y
        right = [float((net(x).argmax(1) == taught).mean())]
        right.append(float((net(read["t10k"]).argmax(1) == label["t10k"]).mean()))
        for data, cloud, line in (("images", read["t10k"][:number], 0), ("noise", noise, 1)):
            found = pr.sample(net, cloud)
            low, high, n = found.ranks.lower, found.ranks.upper, found.counts
            for k in range(3):
                mean = round(float(np.average(high[:, k], weights=n)), 3)
                shown = [high[:, k].min(), mean, high[:, k].max(), (low[:, k] == high[:, k]).all()]
                rows.append([name, data, k + 1, number, *right, *shown])
            for k, ax in enumerate(axes[line]):
                ax.ecdf(high[:, k], weights=n, color=colour, label=name)
                ax.set(
                    xlabel=f"exact rank through layer {k + 1}",
                    ylabel=f"share of the {data} up to it",
                )
    axes[0, 0].legend(frameon=False)
    write(options, "ranks", HEADER, rows, figure)


if __name__ == "__main__":
    main()
