"""The convolutional networks of mnist_cnn.py as exact networks: an ONNX model of their weights."""

from pathlib import Path

import numpy as np
from cnn_training import GEOMETRY, new, train
from onnx import TensorProto, helper, numpy_helper

import polyrank as pr

__all__ = ["networks", "random_labels"]

FILE = Path(__file__).with_name("mnist_cnn") / "weights.npz"


def model(p, name):
    """The network of an ONNX model: Conv, Relu, Conv, Relu, Flatten, Gemm."""
    arrays = [np.asarray(a, np.float32) for a in p]
    for layer, (channels, _, kernel) in enumerate(GEOMETRY):
        arrays[2 * layer] = arrays[2 * layer].reshape(-1, channels, kernel, kernel)
    named = [numpy_helper.from_array(a, f"p{i}") for i, a in enumerate(arrays)]
    nodes = [
        helper.make_node("Conv", ["x", "p0", "p1"], ["a"], strides=[2, 2]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "p2", "p3"], ["c"], strides=[2, 2]),
        helper.make_node("Relu", ["c"], ["d"]),
        helper.make_node("Flatten", ["d"], ["e"]),
        helper.make_node("Gemm", ["e", "p4", "p5"], ["y"], transB=1),
    ]
    ends = (("x", [1, 1, 28, 28]), ("y", [1, 10]))
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in ends]
    graph = helper.make_graph(nodes, name, ends[:1], ends[1:], named)
    return pr.from_onnx(helper.make_model(graph), name=name)


def networks(x, label):
    """{name: network}: new, trained on labels, trained on random ones; read, or trained."""
    if not FILE.exists():
        FILE.parent.mkdir(exist_ok=True)
        wanted = {"labels": (label, 20), "random labels": (random_labels(), 150)}
        found = {n: train(x, y, 0, epochs) for n, (y, epochs) in wanted.items()}
        arrays = {f"{n}/{i}": a for n, p in found.items() for i, a in enumerate(p)}
        np.savez_compressed(FILE, **arrays)
    kept = np.load(FILE)
    found = {"new": model(new(0), "new")}
    for n in ("labels", "random labels"):
        found[n] = model([kept[f"{n}/{i}"] for i in range(6)], n)
    return found


def random_labels():
    """One of ten, for each of 2,000 images."""
    return np.random.default_rng(0).integers(0, 10, 2000)
