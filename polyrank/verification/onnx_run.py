"""The forward pass of onnxruntime at one input, where the network is an ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyrank.errors import PolyrankError

__all__ = ["OnnxRunError", "onnx_outputs"]


class OnnxRunError(PolyrankError):
    """onnxruntime did not give the outputs of a network's file at an input."""


def onnx_outputs(file: Path, point: NDArray[Any], outputs: int) -> NDArray[Any] | None:
    """What onnxruntime computes at an input; None if it is not installed or this is no ONNX file.

    **Does not prove** anything: it is what a deployed network may answer.

    Parameters
    ----------
    file : Path
    point : (n,) array
        Cast to the type of the file's input.
    outputs : int
        How many outputs the network has.

    Raises
    ------
    OnnxRunError
        If the file cannot be loaded or run there, or has another number of inputs or outputs.
    """
    if file.suffix != ".onnx":
        return None
    try:
        import onnxruntime  # noqa: PLC0415  (optional, heavy)
    except ImportError:
        return None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # its errors are exceptions
    try:
        session = onnxruntime.InferenceSession(
            str(file), options, providers=["CPUExecutionProvider"]
        )
        tensors = session.get_inputs()
        if len(tensors) != 1:
            raise OnnxRunError(f"the file has {len(tensors)} inputs to feed, not 1")
        (given,) = tensors
        shape = [size if isinstance(size, int) and size > 0 else 1 for size in given.shape]
        if int(np.prod(shape)) != point.size:
            raise OnnxRunError(f"the file's input has shape {shape}, the network {point.size}")
        dtype = np.float64 if given.type == "tensor(double)" else np.float32
        found = session.run(None, {given.name: point.astype(dtype).reshape(shape)})
    except _faults(onnxruntime) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise OnnxRunError(first) from error
    values: NDArray[Any] = np.asarray(found[0])
    if values.size != outputs:
        raise OnnxRunError(f"it gives {values.size} outputs, the network has {outputs}")
    return values


def _faults(onnxruntime: Any) -> tuple[type[Exception], ...]:
    """Its exceptions, which have no other common base than Exception, and those of numpy."""
    state = vars(onnxruntime.capi.onnxruntime_pybind11_state).values()
    own = [v for v in state if isinstance(v, type) and issubclass(v, Exception)]
    return (RuntimeError, ValueError, *own)
