"""Thousands of damaged files of five formats, read by polyrank and by somebody else's reader.

``python -m tests.network.formats_foreign.damaged_files FORMAT N START`` damages a small network's
file in N ways and compares: polyrank loads the network that is in the file as h5py, scipy, the
safetensors package, onnx, or a few lines after the format's description read it, or the network
that was there before the damage, or says in one sentence why not. Nothing else may happen.
"""

from __future__ import annotations

import io
import json
import random
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
from onnx import TensorProto, helper
from onnx.external_data_helper import load_external_data_for_model
from onnx.numpy_helper import to_array

import polyrank as pr
from polyrank.errors import NetworkError

__all__ = ["FORMATS", "Layers", "experiment", "known", "sentence"]

Layers = list[tuple[np.ndarray, np.ndarray, bool]]
"""Weight (out, in), bias and whether a ReLU follows, layer by layer."""

W0 = np.array([[0.5, -1.25, 3.0], [2.0, 0.375, -0.75]], dtype=np.float32)
B0 = np.array([0.125, -3.0], dtype=np.float32)
W1 = np.array([[1.5, -0.25]], dtype=np.float32)
B1 = np.array([0.0625], dtype=np.float32)
TRUE: Layers = [(W0, B0, True), (W1, B1, False)]


def known(network: pr.Network) -> Layers:
    """The layers of a network that is ReLU or affine throughout; an empty list of any other."""
    found: Layers = []
    for layer in network.layers:
        slopes = {tuple(map(str, pair)) for pair in layer.slopes_exact}
        if not slopes <= {("0", "1"), ("1", "1")} or len(slopes) != 1:
            return []
        found.append((layer.weight.approx, layer.bias.approx, slopes == {("0", "1")}))
    return found


def composed(layers: Layers) -> Layers:
    """Affine layers without ReLU between them as one, as networks are read."""
    out: Layers = []
    for weight, bias, relu in layers:
        if out and not out[-1][2]:
            before, shift, _ = out.pop()
            out.append((weight @ before, weight @ shift + bias, relu))
        else:
            out.append((weight, bias, relu))
    return out


def same(first: Layers, second: Layers) -> bool:
    """Whether two networks have the same numbers."""
    return len(first) == len(second) and all(
        a.shape == c.shape and bool((a == c).all() and (b == d).all()) and r == s
        for (a, b, r), (c, d, s) in zip(first, second, strict=True)
    )


def sentence(problem: BaseException) -> bool:
    """Whether an error says something that a terminal can show on one line."""
    said = str(problem)
    return isinstance(problem, NetworkError) and said.isprintable() and 10 < len(said) < 2300


def _scrambled(data: bytes, dice: random.Random) -> bytes:
    raw = bytearray(data)
    for _ in range(dice.choice([1, 1, 1, 2, 6])):
        at = dice.randrange(len(raw))
        kind = dice.randrange(4)
        if kind == 0:
            raw[at] ^= 1 << dice.randrange(8)
        elif kind == 1:
            raw[at] = dice.randrange(256)
        elif kind == 2:
            raw[at] = dice.choice([0, 1, 2, 8, 127, 128, 255])
        else:
            width = dice.choice([2, 4, 8])
            value = dice.choice([0, 1, len(raw), len(raw) - at, 2**31 - 1, 2**31, 2**63 - 1])
            raw[at : at + width] = (value % 256**width).to_bytes(width, "little")
    if dice.random() < 0.1:
        del raw[dice.randrange(len(raw)) :]
    return bytes(raw) or b"\0"


# ---- safetensors

_NUMBERS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2",
            "I8": "<i1", "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "<u1"}  # fmt: skip


def _write_safetensors(folder: Path, dice: random.Random) -> Path:
    """A header in which one thing is not what a writer writes, or bytes that are scrambled."""
    arrays = {"W0": W0, "b0": B0, "W1": W1, "b1": B1}
    entries: list[tuple[str, Any]] = []
    at = 0
    for name, array in arrays.items():
        kind = dice.choice(["F64", "F32", "F32", "BF16"])
        raw = array.astype("<f8" if kind == "F64" else "<f4")
        size = array.size * {"F64": 8, "F32": 4, "BF16": 2}[kind]
        shape: list[Any] = list(array.shape)
        entries.append((name, {"dtype": kind, "shape": shape, "data_offsets": [at, at + size]}))
        at += size
        arrays[name] = raw if kind != "BF16" else (raw.view("<u4") >> 16).astype("<u2")
    if dice.random() < 0.5:
        deep, long = {"x": "[" * 3000}, {"n": '{"a": ' + "9" * 5000 + "}"}
        odd = [{}, {"a": "b"}, {"a": 1}, deep, long, [], "x", None, {"note": "x\n\x1b[2J"}]
        meta = dice.choice(odd)
        entries.insert(dice.randrange(5), ("__metadata__", meta))
    place = dice.randrange(len(entries))
    name, entry = entries[place]
    if isinstance(entry, dict) and "shape" in entry:
        kind = dice.randrange(12)
        shape, (low, high) = list(entry["shape"]), entry["data_offsets"]
        odd: Any = [-1, 0, 1.0, True, None, "2", 2**63, 2**64, 10**4000, 10**30]
        if kind == 0:
            entry["shape"] = shape[::-1]
        elif kind == 1:
            entry["shape"] = [*shape, *[1] * dice.choice([1, 30, 70])]
        elif kind == 2:
            entry["shape"] = [0, dice.choice([0, 2**40, 2**63, 10**30])]
        elif kind == 3:
            shape[dice.randrange(len(shape))] = dice.choice(odd)
            entry["shape"] = shape
        elif kind == 4:
            entry["data_offsets"] = [dice.choice([low, False, *odd]), dice.choice([high, *odd])]
        elif kind == 5:
            entry["dtype"] = dice.choice(["I32", "U32", "F16", "F8_E4M3", "C64", "f32", "x" * 9999])
        elif kind == 6:  # twice, with another shape or another type of the same size
            other = dict(entry, shape=shape[::-1] if len(shape) > 1 else shape, dtype="I32")
            entries.insert(dice.randrange(len(entries) + 1), (name, other))
        elif kind == 7:
            entries[place] = (dice.choice(["\ud800", "W0\n", "W0\x1b[2J", "W" * 9999, "", "W00"]),
                              entry)  # fmt: skip
        elif kind == 8:
            other = entries[(place + 1) % len(entries)][1]
            if isinstance(other, dict) and "data_offsets" in other:
                entry["data_offsets"] = other["data_offsets"]
        elif kind == 9:
            entry["extra"] = 1
    text = "{" + ",".join(f"{json.dumps(k)}:{json.dumps(v)}" for k, v in entries) + "}"
    head = (dice.choice(["", "", "", " ", "\n"]) + text + " " * dice.choice([0, 3])).encode()
    length = len(head) + dice.choice([0, 0, 0, 0, 0, -1, 1, 8, 2**62])
    data = length.to_bytes(8, "little") + head + b"".join(a.tobytes() for a in arrays.values())
    data += b"\0" * dice.choice([0, 0, 0, 0, 8])
    if dice.random() < 0.3:
        data = _scrambled(data, dice)
    path = folder / "net.safetensors"
    path.write_bytes(data)
    return path


def _read_safetensors(path: Path) -> Layers | None:
    found = {}
    for name, entry in safetensors.deserialize(path.read_bytes()):
        if entry["dtype"] == "BF16":
            half = np.frombuffer(entry["data"], "<u2").astype("<u4") << 16
            array = half.view("<f4")
        else:
            array = np.frombuffer(entry["data"], _NUMBERS[entry["dtype"]])
        found[name] = array.reshape(entry["shape"])
    return _chain(found)


def _chain(found: dict[str, Any]) -> Layers | None:
    """The network of ``W0, b0, …``; None if the names are others."""
    starts = [k for k in (0, 1) if f"W{k}" in found]
    if not starts:
        return None
    layers: Layers = []
    k = starts[0]
    while f"W{k}" in found:
        bias = found.get(f"b{k}", np.zeros(len(found[f"W{k}"])))
        layers.append((np.asarray(found[f"W{k}"]), np.asarray(bias).ravel(), True))
        k += 1
    layers[-1] = (*layers[-1][:2], False)
    return layers


# ---- MAT-files


def _write_matlab(folder: Path, dice: random.Random) -> Path:
    from scipy.io import savemat

    cells = np.empty((1, 2), dtype=object)
    biases = np.empty((1, 2), dtype=object)
    cells[0], biases[0] = [W0, W1], [B0[:, None], B1[:, None]]
    variables: dict[str, Any] = dice.choice(
        [{"weights": cells, "biases": biases}, {"W1": W0, "b1": B0, "W2": W1, "b2": B1},
         {"net": {"weights": cells, "biases": biases}}]
    )  # fmt: skip
    if dice.random() < 0.3:
        variables = {**variables, "note": "trained on Monday"}
    path = folder / "net.mat"
    savemat(path, variables, do_compression=False)
    path.write_bytes(_scrambled(path.read_bytes(), dice))
    return path


def _read_matlab(path: Path) -> Layers | None:
    from scipy.io import loadmat

    found = {k: v for k, v in loadmat(path).items() if not k.startswith("__")}
    for value in list(found.values()):
        if value.dtype.names is not None and value.size == 1:
            found = {name: value[name].ravel()[0] for name in value.dtype.names}
    if len(found) == 1 and (only := next(iter(found.values()))).dtype.kind in "iuf":
        return [(only, np.zeros(len(only)), False)]  # one matrix is one affine layer
    if "weights" in found and found["weights"].dtype == object:
        pairs = zip(found["weights"].ravel(order="F"), found["biases"].ravel(order="F"),
                    strict=True)  # fmt: skip
        found = {f"{s}{k}": v for k, pair in enumerate(pairs)
                 for s, v in zip("Wb", pair, strict=True)}  # fmt: skip
    return _chain(found)


# ---- Keras


def _write_keras(folder: Path, dice: random.Random) -> Path:
    import h5py

    stream = io.BytesIO()
    dense = [
        {"class_name": "Dense", "config": {"name": "a", "units": 2, "activation": "relu"}},
        {"class_name": "Dense", "config": {"name": "b", "units": 1, "activation": "linear"}},
    ]
    start = {"class_name": "InputLayer", "config": {"name": "i", "batch_input_shape": [None, 3]}}
    config = {"class_name": "Sequential", "config": {"name": "m", "layers": [start, *dense]}}
    with h5py.File(stream, "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = dice.choice(["2.9.0", "3.1.0"])
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [b"i", b"a", b"b"]
        group.create_group("i").attrs["weight_names"] = np.zeros(0, "S1")
        for name, weight, bias in (("a", W0, B0), ("b", W1, B1)):
            inner = group.create_group(name)
            inner.attrs["weight_names"] = [f"{name}/{k}:0".encode() for k in ("kernel", "bias")]
            inner[f"{name}/kernel:0"], inner[f"{name}/bias:0"] = weight.T, bias
    path = folder / "net.h5"
    path.write_bytes(_scrambled(stream.getvalue(), dice))
    return path


def _read_keras(path: Path) -> Layers | None:
    import h5py

    layers: Layers = []
    with h5py.File(path, "r") as file:
        config = json.loads(file.attrs["model_config"])
        for layer in config["config"]["layers"]:
            settings = layer["config"]
            if layer["class_name"] == "Dense":
                group = file["model_weights"][settings["name"]]
                weight, bias = (group[name][()] for name in group.attrs["weight_names"])
                relu = settings.get("activation") == "relu"
                if not relu and settings.get("activation") not in ("linear", None):
                    return None
                layers.append((weight.T, bias, relu))
            elif layer["class_name"] != "InputLayer":
                return None
    return layers


# ---- .nnet


def _write_nnet(folder: Path, dice: random.Random) -> Path:
    lines = ["// a network", "2,3,1,3,", "3,2,1,", "0,", "-1,-1,-1,", "1,1,1,", "0,0,0,0,",
             "1,1,1,1,"]  # fmt: skip
    for weight, bias, _ in TRUE:
        lines += [",".join(map(repr, row)) + "," for row in weight.tolist()]
        lines += [f"{v!r}," for v in bias.tolist()]
    at = dice.randrange(len(lines))
    kind = dice.randrange(10)
    if kind == 0:
        del lines[at]
    elif kind == 1:
        lines.insert(at, dice.choice(["", "// x", "0,", "1,2,", "\x0c", "\x1c", "\u2028", "# x"]))
    elif kind == 2:
        lines[at] = lines[at].replace(",", dice.choice([" ", ";", ",,", " , ", "\t"]), 1)
    elif kind == 3:
        words = lines[at].split(",")
        words[dice.randrange(len(words))] = dice.choice(
            ["", "nan", "inf", "1e999", "1_0", "0x1", "1,", "-", "１", "1e-400", "9" * 400, "1 2"]
        )
        lines[at] = ",".join(words)
    elif kind == 4:
        lines[at] += dice.choice([" ", "0,", "0", "// x", "\\", "\x0c5,"])
    elif kind == 5:
        lines[at] = lines[at].rstrip(",")
    elif kind == 6:
        other = dice.randrange(len(lines))
        lines[at], lines[other] = lines[other], lines[at]
    end = dice.choice(["\n", "\n", "\r\n", "\r", "\n\r", "\x0b", "\x85"])
    data = (end.join(lines) + dice.choice([end, "", end * 2])).encode()
    if kind > 6:
        data = _scrambled(data, dice)
    path = folder / "net.nnet"
    path.write_bytes(data)
    return path


def _read_nnet(path: Path) -> Layers | None:
    """As the description of the format has it; the normalisation of the header is none here."""
    text = path.read_bytes().decode("utf-8-sig")
    lines = [line.strip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    rows = [line.rstrip(",").split(",") for line in lines if line and line[:2] != "//"]
    counts, sizes = [int(v) for v in rows[0]], [int(v) for v in rows[1]]
    means, ranges = ([float(v) for v in row] for row in rows[5:7])
    if (means, ranges) == ([0.0], [0.0]):
        means, ranges = [0.0] * (sizes[0] + 1), [1.0] * (sizes[0] + 1)
    at = 7
    layers: Layers = []
    for k in range(counts[0]):
        height, width = sizes[k + 1], sizes[k]
        weight = np.array([[float(v) for v in rows[at + i]] for i in range(height)])
        bias = np.array([[float(v) for v in rows[at + height + i]] for i in range(height)])
        if weight.shape != (height, width) or bias.shape != (height, 1):
            return None
        layers.append((weight, bias[:, 0], k < counts[0] - 1))
        at += 2 * height
    return _folded(layers, means, ranges) if at == len(rows) else None


def _folded(layers: Layers, means: list[float], ranges: list[float]) -> Layers:
    """The network of ``x ↦ r · net((x − m) / s) + n``, in fractions; its numbers rounded once."""
    exact = np.vectorize(Fraction, otypes=[object])
    first = layers[0]
    n = first[0].shape[1]
    shift, scale = exact(means[:n]), exact(ranges[:n])
    weight = exact(first[0]) / scale
    layers = [(weight, exact(first[1]) - weight @ shift, first[2]), *layers[1:]]
    last = layers[-1]
    by, to = Fraction(ranges[-1]), Fraction(means[-1])
    layers[-1] = (exact(last[0]) * by, exact(last[1]) * by + to, last[2])
    return [(a.astype(float), b.astype(float), relu) for a, b, relu in layers]


# ---- ONNX with numbers outside of the file


def _write_onnx(folder: Path, dice: random.Random) -> Path:
    arrays = {"W0": W0, "b0": B0, "W1": W1, "b1": B1}
    raw = b"".join(array.tobytes() for array in arrays.values())
    tensors = []
    at = 0
    for name, array in arrays.items():
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=array.shape)
        tensor.data_location = TensorProto.EXTERNAL
        said: dict[str, Any] = {"location": "net.data", "offset": at, "length": array.nbytes}
        if dice.random() < 0.3:
            key = dice.choice(["location", "offset", "length"])
            odd = dice.choice([-1, 0, 1, 4, 2**40, 2**70, "", " 4", "4 ", "0x4", "1_0", "x", "４",
                               ".", "..", "../net.data", "./net.data", "a/../net.data", "net\0data",
                               "n" * 5000, "/dev/zero", "/etc/passwd", "pipe", "NET.DATA",
                               str(folder / "net.data"), "net.data/", "other.data"])  # fmt: skip
            said[key] = odd
        if dice.random() < 0.1:
            del said[dice.choice(list(said))]
        pairs = list(said.items())
        if dice.random() < 0.1:
            pairs.append(dice.choice([("offset", 0), ("length", 4), ("location", "none"),
                                      ("checksum", "0" * 40), ("basepath", "/")]))  # fmt: skip
        for key, value in pairs:
            tensor.external_data.add(key=key, value=str(value))
        if dice.random() < 0.05:
            tensor.dims[:] = dice.choice([[2**40], [0, 2**40], [-1], [1] * 70, [2**62, 4]])
        tensors.append(tensor)
        at += array.nbytes
    (folder / "net.data").write_bytes(raw[: len(raw) - dice.choice([0, 0, 0, 0, 1, 4, 40])])
    nodes = [
        helper.make_node("Gemm", ["x", "W0", "b0"], ["z"], transB=1),
        helper.make_node("Relu", ["z"], ["h"]),
        helper.make_node("Gemm", ["h", "W1", "b1"], ["y"], transB=1),
    ]
    sizes = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, k]) for n, k in
             (("x", 3), ("y", 1))]  # fmt: skip
    graph = helper.make_graph(nodes, "net", sizes[:1], sizes[1:], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    path = folder / "net.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def _read_onnx(path: Path) -> Layers | None:
    import onnx

    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:  # without a length that reader takes all that follows
        if all(entry.key != "length" for entry in tensor.external_data):
            tensor.external_data.add(key="length", value=str(4 * int(np.prod(tensor.dims))))
    load_external_data_for_model(model, str(path.parent))
    return _chain({tensor.name: to_array(tensor) for tensor in model.graph.initializer})


Writer = Callable[[Path, random.Random], Path]
Reader = Callable[[Path], "Layers | None"]
FORMATS: dict[str, tuple[Writer, Reader]] = {
    "safetensors": (_write_safetensors, _read_safetensors),
    "matlab": (_write_matlab, _read_matlab),
    "keras": (_write_keras, _read_keras),
    "nnet": (_write_nnet, _read_nnet),
    "onnx": (_write_onnx, _read_onnx),
}


def experiment(name: str, trials: int, seed: int, folder: Path) -> Counter[str]:
    """Damage files; what came of each.

    Raises
    ------
    AssertionError
        If something else than the file's network was loaded, or an error is not one sentence.
    """
    write, read = FORMATS[name]
    outcome: Counter[str] = Counter()
    for trial in range(seed, seed + trials):
        path = write(folder, random.Random(f"{name} {trial}"))
        where = f"{name}, file {trial}"
        refusal: NetworkError | None = None
        try:
            network = pr.load(path)
        except NetworkError as problem:
            refusal = problem
        if refusal is not None:
            assert sentence(refusal), f"{where}: {refusal!r}"
            outcome["refused"] += 1
            continue
        found = known(network)
        assert all(note.isprintable() for note in network.source["notes"]), where
        if same(found, TRUE):
            outcome["as it was"] += 1
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                other = read(path)
        except Exception as problem:
            # libhdf5 looks at more that holds no number: sizes, caches and versions of its lists
            if name != "keras":
                raise AssertionError(f"{where}: the other reader refuses: {problem!r}") from problem
            outcome["refused by the other reader"] += 1
            continue
        assert other is not None, f"{where}: the other reader finds another network"
        agree = same(found, other) or same(found, composed(other))
        assert agree, f"{where}: {found} is not {other}"
        outcome["as the other reader has it"] += 1
    return outcome


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        _, which, number, first = sys.argv
        found = experiment(which, int(number), int(first), Path(place))
        sys.stdout.write(f"{which} {dict(found)}\n")
