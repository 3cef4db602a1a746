"""Mapper of hidden layers of MNIST networks, beside exact hyperplanes between the digits.

The Mapper graph (gudhi's cover complex) of test images at the hidden layers of the networks of
mnist.py, by the first two principal components. What it shows depends on the cover and
the clustering. Exact, of the same images: how many of the 45 pairs of digits a hyperplane separates
strictly at that layer; each with the hyperplane, or with two convex combinations that are equal.
The hyperplanes are those of the first 150 images.
"""

import gudhi.cover_complex
import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
from gallery import asked, write
from mnist import idx, networks
from sklearn.cluster import AgglomerativeClustering

import polyrank as pr
from polyrank.topology import build_manifold

EXACT = 150  # images that are decided
HEADER = "network,layer,images,mapper_nodes,mapper_edges,mapper_parts,mapper_purity"
HEADER += ",separable_pairs,proved"


def mapper(cloud, label):
    """The graph, with the share and the most frequent digit of each node."""
    centred = cloud - cloud.mean(axis=0)
    filters = centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T
    near = np.sort(np.linalg.norm(centred[:, None] - centred, axis=2), axis=1)[:, 3]
    cluster = AgglomerativeClustering(
        None, linkage="single", distance_threshold=float(np.quantile(near, 0.9))
    )
    cover = gudhi.cover_complex.MapperComplex(
        resolutions=[8, 8], gains=[0.3, 0.3], min_points_per_node=3, clustering=cluster
    ).fit(cloud, filters=filters, colors=label[:, None].astype(float))
    graph = cover.get_networkx()
    for node in graph:
        counts = np.bincount(label[cover.node_info_[node]["indices"]], minlength=10)
        graph.nodes[node].update(digit=int(counts.argmax()), size=int(counts.sum()))
        graph.nodes[node]["purity"] = counts.max() / counts.sum()
    return graph


def main():
    """Graphs, hyperplanes, table and picture."""
    options, rows = asked(__file__, __doc__), []
    number = 1000 if options.full else 300
    x = idx("t10k-images-idx3-ubyte", 16).reshape(-1, 784)[:number] / 255
    label = idx("t10k-labels-idx1-ubyte", 8)[:number].astype(int)
    some, space = label[:EXACT], [np.arange(EXACT)[:, None]]
    space = build_manifold(x[:EXACT], space, "images", labels=[some])
    figure, axes = plt.subplots(3, 2, figsize=(9, 11), layout="constrained")
    for (name, net), across in zip(networks().items(), axes, strict=True):
        found, cloud = pr.separate(net, space, layers=[1, 2], linking=False), x
        for layer, ax in enumerate(across, 1):
            own = net.layers[layer - 1]
            cloud = np.maximum(cloud @ own.weight.approx.T + own.bias.approx, 0)
            pairs = [r.separable for r in found.rows if r.layer == layer]
            graph = mapper(cloud, label)
            of = {k: nx.get_node_attributes(graph, k) for k in ("size", "digit", "purity")}
            size, purity = list(of["size"].values()), list(of["purity"].values())
            counts = len(graph), graph.number_of_edges(), nx.number_connected_components(graph)
            mean = round(float(np.average(purity, weights=size)), 3)
            rows.append([name, layer, number, *counts, mean, pairs.count(True), None not in pairs])
            place = nx.spring_layout(graph, seed=0)
            nx.draw_networkx_edges(graph, place, ax=ax, edge_color="0.6")
            dots = {"node_color": purity, "cmap": "Wistia", "vmin": 0.1, "vmax": 1}
            dots["node_size"] = [60 + 2 * n for n in size]
            drawn = nx.draw_networkx_nodes(graph, place, ax=ax, **dots)
            nx.draw_networkx_labels(graph, place, of["digit"], ax=ax, font_size=8)
            ax.set_title(f"{name}, layer {layer}: {pairs.count(True)} of 45 pairs separable")
            ax.axis("off")
    figure.colorbar(drawn, ax=axes, label="share of the digit that is written", shrink=0.5)
    write(options, "mapper", HEADER, rows, figure)


if __name__ == "__main__":
    main()
