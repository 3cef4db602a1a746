"""Counterexamples: exact inputs that violate a property, and what floating point makes of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from polyrank.network.forward import forward, forward_exact
from polyrank.network.normal_form import Network
from polyrank.network.rational import fmpq_from_float, nearest_float
from polyrank.polyhedra.violation import Specification, admissible, satisfied
from polyrank.verification.frame import Frame
from polyrank.verification.onnx_run import OnnxRunError, onnx_outputs

__all__ = ["Counterexample", "Rerun", "counterexample", "exact_violation", "robust"]

#: How far towards the middle of the domain a counterexample is moved, at most and at least.
_SHARES = [fmpq(1, 2), fmpq(1, 8), fmpq(1, 64), fmpq(1, 1024), fmpq(0)]


@dataclass(frozen=True, slots=True)
class Rerun:
    """A counterexample, rounded, through a floating-point forward pass.

    Attributes
    ----------
    by : str
        ``"float64"``, ``"float32"`` (numpy, layer by layer) or ``"onnxruntime"``.
    x, y : tuple of float
        The rounded input and the outputs that were computed.
    inside : bool
        The rounded input satisfies the property's conditions on inputs, exactly.
    violates : bool
        It does, and with these outputs, which are finite, it violates the property. **Does not
        prove** anything about the real function: that is what the exact counterexample does.
    fault : str
        Why there are no outputs; empty if there are.
    """

    by: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    inside: bool
    violates: bool
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Counterexample:
    """An input that violates the property, with its outputs, both exact.

    **Proves**: the real function of the stored weights maps ``x`` to ``y``, and the two satisfy
    the violation that the property states (:func:`polyrank.network.forward.forward_exact`).

    Attributes
    ----------
    x, y : tuple of fmpq
    reruns : tuple of Rerun
    """

    x: tuple[fmpq, ...]
    y: tuple[fmpq, ...]
    reruns: tuple[Rerun, ...]

    def summary(self) -> dict[str, Any]:
        """A JSON-serialisable dict: fractions as text."""
        return {
            "x": [str(v) for v in self.x],
            "y": [str(v) for v in self.y],
            "reruns": [
                {
                    "by": run.by,
                    "x": [repr(v) for v in run.x],
                    "y": [repr(v) for v in run.y],
                    "inside": run.inside,
                    "violates": run.violates,
                    "fault": run.fault,
                }
                for run in self.reruns
            ],
        }


def exact_violation(
    network: Network, specification: Specification, frame: Frame, point: fmpq_mat
) -> fmpq_mat | None:
    """The point, moved into the bounding box of the domain, if it violates the property exactly.

    Parameters
    ----------
    point : fmpq_mat, shape (d, 1)
        In the frame: a proposal of floating-point arithmetic, or exact.
    """
    inside = point
    if frame.lower is not None and frame.upper is not None:
        clamped = [
            max(a, min(b, v))
            for a, b, v in zip(frame.lower, frame.upper, point.entries(), strict=True)
        ]
        inside = fmpq_mat(len(clamped), 1, clamped)
    x = ambient(frame, inside)
    # the condition on inputs costs next to nothing
    if not admissible(specification.violation, x):
        return None
    return inside if satisfied(specification.violation, x, forward_exact(network, x)) else None


def ambient(frame: Frame, point: fmpq_mat) -> list[fmpq]:
    """The input of a point of the frame."""
    moved = point if frame.plain else frame.origin + frame.basis * point
    x: list[fmpq] = moved.entries()
    return x


def robust(
    network: Network, specification: Specification, frame: Frame, point: fmpq_mat
) -> fmpq_mat:
    """A violation near a violation, farther inside and in float32, where there is one."""
    for share in _SHARES:
        moved = point + (frame.interior - point) * share
        rounded = [_float32(nearest_float(v)) for v in moved.entries()]
        if not all(map(math.isfinite, rounded)):
            continue  # beyond the range of float32
        found = fmpq_mat(len(rounded), 1, list(map(fmpq_from_float, rounded)))
        kept = exact_violation(network, specification, frame, found)
        if kept is not None and kept == found:
            return kept
    return point


def _float32(value: float) -> float:
    with np.errstate(over="ignore"):
        return float(np.float32(value))


def counterexample(
    network: Network,
    specification: Specification,
    x: Sequence[fmpq],
    network_file: Path | None = None,
) -> Counterexample:
    """The counterexample at an input that violates the property, with its reruns."""
    y = forward_exact(network, x)
    reruns = []
    types: tuple[tuple[str, Any], ...] = (("float64", np.float64), ("float32", np.float32))
    for by, dtype in types:
        point = _rounded(x, dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            values = forward(network, point, dtype=dtype)
        reruns.append(_rerun(by, point, values, specification))
    if network_file is not None:
        point = _rounded(x, np.float32)
        try:
            found = onnx_outputs(network_file, point, network.widths[-1])
        except OnnxRunError as error:
            none = _rerun("onnxruntime", point, np.full(network.widths[-1], np.nan), specification)
            reruns.append(replace(none, y=(), fault=str(error)))
        else:
            if found is not None:
                reruns.append(_rerun("onnxruntime", point, found, specification))
    return Counterexample(tuple(x), y, tuple(reruns))


def _rounded(x: Sequence[fmpq], dtype: Any) -> NDArray[Any]:
    with np.errstate(over="ignore"):
        return np.array([nearest_float(v) for v in x]).astype(dtype)


def _rerun(
    by: str, point: NDArray[Any], found: NDArray[Any], specification: Specification
) -> Rerun:
    values = np.asarray(found, dtype=np.float64).ravel()
    inputs, outputs = point.astype(np.float64).tolist(), values.tolist()
    inside = violating = False
    if np.isfinite(point).all():
        exact_x = [fmpq_from_float(v) for v in inputs]
        inside = admissible(specification.violation, exact_x)
        if inside and np.isfinite(values).all():
            exact_y = [fmpq_from_float(v) for v in outputs]
            violating = satisfied(specification.violation, exact_x, exact_y)
    return Rerun(by, tuple(inputs), tuple(outputs), inside, violating)
