"""What the caller of ``load`` may say about a file, beyond what the file says itself."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LoadOptions"]


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """Choices that are passed to every format's ``read(path, options)``.

    Attributes
    ----------
    output_relu : bool
        Put a ReLU on the output layer, if the file does not already have one.
    activation : str or None
        Activation between the layers of formats that store weights only (npz, safetensors,
        torch state dicts). One name, or one per hidden layer separated by commas. None is ReLU.
    slope : float, str or None
        Negative slope of a LeakyReLU. A float is the dyadic rational that it encodes; a string
        is exact (``"1/100"``, ``"0.01"``). Given alone it implies ``activation="leaky_relu"``.
    raw : bool or None
        True leaves the normalisation that the file states (``.nnet`` headers) out of the network.
    cut_final : bool
        Drop a final Softmax, Sigmoid or Tanh, which changes no region.
    part : str or None
        Which network of a file that holds several: the name of a module, or several in the order
        in which they follow each other, separated by commas.
    """

    output_relu: bool = False
    activation: str | None = None
    slope: float | str | None = None
    raw: bool | None = None
    cut_final: bool = False
    part: str | None = None
