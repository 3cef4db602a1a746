"""Models that are at hand as objects of PyTorch or ONNX; neither is imported before it is given.

A torch module is read through the file that ``torch.save`` makes of it, so that there is one
reader. A ``Sequential`` says what it computes; of any other module torch's own tracer
(``torch.fx``) tells which layers its ``forward`` calls, and a chain of them is a ``Sequential``.
"""

from __future__ import annotations

import copy
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from polyrank.errors import NetworkError, UnsupportedError
from polyrank.network.formats.dense import with_output_relu
from polyrank.network.formats.options import LoadOptions
from polyrank.network.formats.source import brief
from polyrank.network.normal_form import Network

__all__ = ["from_onnx", "from_torch"]

_EXPORT = "export it with torch.onnx.export(model, example_input, 'model.onnx') and load the file"


def from_torch(
    module: Any, *, cut_final: bool = False, output_relu: bool = False, name: str | None = None
) -> Network:
    """The network of a ``torch.nn.Module`` in evaluation mode, exactly.

    Parameters
    ----------
    module : torch.nn.Module
        A ``Sequential`` of known layers, or a module whose ``forward`` calls such layers one after
        another (``self.fc2(torch.relu(self.fc1(x)))``).
    cut_final : bool
        Drop a final Softmax, LogSoftmax, Sigmoid or Tanh.
    output_relu : bool
        Put a ReLU on the output layer.
    name : str, optional
        Name of the network; the default is the class of the module.

    Returns
    -------
    Network
        ``source["notes"]`` says what was folded or cut off, and that dropout and normalisation are
        those of evaluation.

    Raises
    ------
    NetworkError
        If it is no module of torch, or shapes do not chain.
    UnsupportedError
        If it branches, is not piecewise linear, or has hooks or a forward of its own, which may
        change what it computes.
    """
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(module, torch.nn.Module):
        raise NetworkError(
            f"expected a torch.nn.Module, got {type(module).__name__}; of a state dict give the "
            "file: polyrank.load('weights.pt')"
        )
    from polyrank.network.formats.torch import read  # noqa: PLC0415  (half of the readers)
    from polyrank.network.formats.torch_modules import CALLS, HOOKS  # noqa: PLC0415

    for part, inner in module.named_modules():
        if any(getattr(inner, hooks, None) for hooks in HOOKS):
            raise UnsupportedError(
                f"the module {part or type(inner).__name__!r} has forward hooks, whose code may "
                f"change what it computes; remove them, or {_EXPORT}"
            )
    kind = type(module).__name__
    if any(vars(module).get(call) for call in CALLS):  # which torch.fx does not look at
        raise UnsupportedError(
            f"the module {kind} has a forward of its own instead of that of its class; remove it, "
            f"or {_EXPORT}"
        )
    chain = copy.deepcopy(module).eval()
    if not isinstance(chain, torch.nn.Sequential):
        chain = torch.nn.Sequential(*_traced(torch, chain))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "module.pt"
        try:
            torch.save(chain, path)
        except Exception as problem:  # noqa: BLE001  (what stands in its instances may raise anything)
            raise UnsupportedError(
                f"torch.save cannot write {kind} ({brief(problem, most=80)}), as where a "
                f"lambda or a parametrisation is part of it; {_EXPORT}"
            ) from None
        network = read(path, replace(LoadOptions(), cut_final=cut_final))
    notes = list(network.source.get("notes", ()))
    if module.training:
        notes.append("the module is in training mode; it was read as it is in evaluation mode")
    source = {"format": "torch module", "class": kind, "notes": notes}
    found = Network(network.layers, name or kind, source)
    return with_output_relu(found) if output_relu else found


def from_onnx(
    model: Any, *, cut_final: bool = False, output_relu: bool = False, name: str | None = None
) -> Network:
    """The network of an ``onnx.ModelProto``, or of its bytes, exactly; as :func:`polyrank.load`.

    Parameters
    ----------
    model : onnx.ModelProto or bytes
        With its tensors inside; those in other files are not looked for.
    cut_final, output_relu : bool
        As for :func:`from_torch`.
    name : str, optional
        Name of the network; the default is that of the graph.

    Raises
    ------
    NetworkError
        If it is neither.
    FormatError, UnsupportedError
        As :func:`polyrank.load`.
    """
    data = model if isinstance(model, bytes) else _serialised(model)
    from polyrank.network.formats.onnx import network_from_graph  # noqa: PLC0415
    from polyrank.network.formats.onnx_parse import parse_model  # noqa: PLC0415  (imports onnx)

    called = name or getattr(getattr(model, "graph", None), "name", "") or "onnx model"
    found = network_from_graph(parse_model(data, None), cut_final=cut_final, name=called)
    source = {"format": "ONNX model", **found.source}
    found = Network(found.layers, called, source)
    return with_output_relu(found) if output_relu else found


def _serialised(model: Any) -> bytes:
    if not hasattr(model, "SerializeToString") or not hasattr(model, "graph"):
        raise NetworkError(
            f"expected an onnx.ModelProto or its bytes, got {type(model).__name__}; of a file give "
            "its path to polyrank.load"
        )
    data: bytes = model.SerializeToString()
    return data


def _traced(torch: Any, module: Any) -> Iterator[Any]:
    """The layers that the module's ``forward`` calls, if each takes what the last one gave."""
    kind = type(module).__name__
    try:
        graph = torch.fx.symbolic_trace(module).graph
    except Exception as problem:  # noqa: BLE001  (a stranger's forward may raise anything)
        raise UnsupportedError(
            f"torch.fx cannot follow the forward of {kind} ({brief(problem, most=80)}); {_EXPORT}"
        ) from None
    parts = dict(module.named_modules())
    before = None
    for node in graph.nodes:
        if node.op == "placeholder" and before is None:
            before = node
            continue
        if len(node.all_input_nodes) != 1 or node.all_input_nodes[0] is not before:
            raise UnsupportedError(
                f"the forward of {kind} is not a chain: {node.name!r} does not take just what the "
                f"step before it gave; {_EXPORT}"
            )
        if node.op == "output":
            if node.args[0] is not before:
                raise UnsupportedError(f"the forward of {kind} returns more than a tensor")
            return
        yield parts[node.target] if node.op == "call_module" else _called(torch, node, kind)
        before = node


def _called(torch: Any, node: Any, kind: str) -> Any:
    """The layer that does what a function or method does that a forward calls."""
    nn, call = torch.nn, torch.nn.functional
    what = node.target if isinstance(node.target, str) else None
    rest = (*node.args[1:], *node.kwargs.values())
    named = dict(node.kwargs)
    if node.target in (torch.relu, call.relu) or what in ("relu", "relu_"):
        return nn.ReLU()
    if node.target is call.relu6:
        return nn.ReLU6()
    if node.target is call.leaky_relu:
        slope = node.args[1] if len(node.args) > 1 else named.get("negative_slope", 0.01)
        return nn.LeakyReLU(slope)
    training = node.args[2] if len(node.args) > 2 else named.get("training", True)
    if node.target is call.dropout and training is False:
        return nn.Identity()
    if (node.target is torch.flatten or what == "flatten") and rest in ((1,), (1, -1)):
        return nn.Flatten()
    shown = what or getattr(node.target, "__name__", str(node.target))
    raise UnsupportedError(f"the forward of {kind} calls {shown}, which is not read; {_EXPORT}")
