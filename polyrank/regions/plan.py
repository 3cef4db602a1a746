"""The plan of a run: what is enumerated and how, as every worker on it has to know."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import Literal, get_args

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from polyrank.cells.search import chosen_engine
from polyrank.errors import NetworkError
from polyrank.network.normal_form import Network
from polyrank.posed.chart import Chart
from polyrank.posed.problem import Problem
from polyrank.regions.schema import region_schema

__all__ = ["TASK_WORK", "Engine", "Keep", "Plan", "asked_layers", "engine_for"]

Engine = Literal["auto", "dictionary", "vertices", "highs"]

#: What is kept of regions: a shard's bytes, Arrow batches, or their number and ranks alone.
Keep = Literal["shard", "batches", "nothing"]

#: Budget of a task by its generation: the first ones are short, so that all workers soon have one.
TASK_WORK = tuple(2.0 ** (18 + generation // 2) for generation in range(5))


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What is enumerated, by which engine, in tasks of what size, and what is kept of it.

    Attributes
    ----------
    network : Network
    chart : Chart
    layers : int
    engine : str
        ``dictionary``, ``vertices`` or ``highs``.
    proof : bool
        Keep the search tree.
    keep : Keep
    work : tuple of float
        Budget of a task by its generation; the last one is that of all later ones.
    """

    network: Network
    chart: Chart
    layers: int
    engine: str
    proof: bool = False
    keep: Keep = "batches"
    work: tuple[float, ...] = TASK_WORK

    @property
    def bits(self) -> int:
        """Codeword bits."""
        return sum(self.network.bits[: self.layers])

    @property
    def unit_start(self) -> NDArray[np.int64]:
        """First unit of each layer, then the number of units."""
        units = [layer.units for layer in self.network.layers[: self.layers]]
        return np.array([0, *accumulate(units)], dtype=np.int64)

    @property
    def hyperplane(self) -> list[bool]:
        """Which units have a hyperplane."""
        layers = self.network.layers[: self.layers]
        return [bool(v) for layer in layers for v in layer.has_hyperplane.tolist()]

    @property
    def schema(self) -> pa.Schema:
        """Of the table of regions."""
        return region_schema(self.bits, self.layers, self.chart.k)


def asked_layers(network: Network, through_layer: int | None) -> int:
    """Number of layers that are enumerated.

    Raises
    ------
    NetworkError
        If ``through_layer`` is not a layer of the network.
    """
    total = len(network.layers)
    if through_layer is None:
        return total
    if not 1 <= through_layer <= total:
        raise NetworkError(
            f"cannot enumerate through layer {through_layer}: "
            f"{network.name!r} has layers 1 to {total}, the output layer last"
        )
    return through_layer


def engine_for(network: Network, chart: Chart, engine: str) -> str:
    """The engine that an option stands for on a domain.

    Raises
    ------
    ValueError
        If there is no such engine.
    """
    if engine not in get_args(Engine):
        raise ValueError(f"engine {engine!r} is not one of {', '.join(get_args(Engine))}")
    return chosen_engine(Problem.of(network, chart)) if engine == "auto" else engine
