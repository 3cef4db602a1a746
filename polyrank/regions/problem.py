"""What is enumerated, and how: the question that every worker on a run answers a part of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import pyarrow as pa

from polyrank.cells.search import chosen_engine
from polyrank.errors import NetworkError
from polyrank.network.normal_form import Network
from polyrank.posed.chart import Chart
from polyrank.posed.problem import Problem as Posed
from polyrank.regions.schema import region_schema

__all__ = ["TASK_WORK", "Engine", "Keep", "Problem", "asked_layers", "engine_for"]

Engine = Literal["auto", "dictionary", "vertices", "highs"]

#: What is kept of regions: a shard's bytes, Arrow batches, or their number and ranks alone.
Keep = Literal["shard", "batches", "nothing"]

#: Budget of a task by its generation: the first ones are short, so that all workers soon have one.
TASK_WORK = (2.0**16, 2.0**18, 2.0**20)


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """What is enumerated, and how.

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
    return chosen_engine(Posed.of(network, chart)) if engine == "auto" else engine
