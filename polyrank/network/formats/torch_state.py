"""State dicts of torch: Linear layers, batch normalisations and PReLUs in the order of their keys.

A state dict does not say which activations lie between its layers; the options do (the default is
ReLU). With anything but Linear layers the place of the activations matters: it is read off the
gaps in the numbers of a ``Sequential`` (``0.weight, 1.running_mean, 3.weight``: the activation is
module 2), and refused where the numbers leave a choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from flint import fmpq
from numpy.typing import NDArray

from polyrank.errors import NetworkError, UnsupportedError
from polyrank.network.formats.activations import LINEAR, Activation, normalised
from polyrank.network.formats.layer_activations import layer_activations
from polyrank.network.formats.module_names import check_one_network
from polyrank.network.formats.options import LoadOptions
from polyrank.network.formats.pairs import chosen_part, network_from_arrays
from polyrank.network.formats.recording import record_activation, record_normalisation
from polyrank.network.formats.stated import Stated
from polyrank.network.formats.torch_modules import EXPORT
from polyrank.network.lowering.sequence import Sequence
from polyrank.network.normal_form import Network
from polyrank.network.rational import to_fmpq

__all__ = ["network_from_state"]

_BATCH_EPSILON = 1e-5  # torch's default; a state dict does not store it


@dataclass(slots=True, eq=False)
class _Group:
    """The arrays of one module: those that share the name before the last dot."""

    key: str
    parts: dict[str, NDArray[Any]] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        weight = self.parts.get("weight")
        if "running_mean" in self.parts or "running_var" in self.parts:
            return "norm"
        if weight is not None and weight.ndim == 2 and set(self.parts) <= {"weight", "bias"}:
            return "linear"
        if weight is not None and weight.ndim == 1 and set(self.parts) == {"weight"}:
            return "prelu"
        return "unknown"


def network_from_state(
    arrays: Mapping[str, NDArray[Any]],
    options: LoadOptions,
    *,
    name: str,
    notes: list[str],
    stated: Stated | None,
) -> Network:
    """The network of a state dict.

    Parameters
    ----------
    arrays : mapping
        In the order of the file.
    options : LoadOptions
    name : str
    notes : list of str
    stated : Stated or None
        The activations that the file names.

    Raises
    ------
    FormatError
        If the arrays are several networks and ``options.part`` names none of them.
    UnsupportedError
        If an array has no unambiguous place in a chain of layers.
    NetworkError
        If shapes do not chain, or the options do not fit.
    """
    pieces, said = chosen_part(arrays, options)
    groups: dict[str, _Group] = {}
    for key, array in (item for piece in pieces for item in piece.items()):
        prefix, _, role = key.rpartition(".")
        if role != "num_batches_tracked":
            groups.setdefault(prefix, _Group(prefix)).parts[role] = array
    kinds = [group.kind for group in groups.values()]
    if "norm" not in kinds and "prelu" not in kinds:
        return network_from_arrays(
            _counted(arrays), options, name=name, ordered=True, notes=notes, stated=stated
        )
    for group in groups.values():
        if group.kind == "unknown":
            shapes = {role: part.shape for role, part in group.parts.items()}
            raise UnsupportedError(
                f"the arrays of {group.key!r}, {shapes}, are not those of a Linear layer, a batch "
                f"normalisation or a PReLU; {EXPORT}"
            )
    sizes = {g.key: g.parts["weight"].shape[::-1] for g in groups.values() if g.kind == "linear"}
    for piece in pieces:
        own = dict.fromkeys(key.rpartition(".")[0] for key in piece)
        check_one_network([key for key in own if key in groups], sizes)
    notes += said
    return _numbered(list(groups.values()), options, name, notes, stated)


def _counted(arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Without the counters of batch normalisations."""
    return {k: a for k, a in arrays.items() if not k.endswith("num_batches_tracked")}


def _numbered(
    groups: list[_Group],
    options: LoadOptions,
    name: str,
    notes: list[str],
    stated: Stated | None,
) -> Network:
    stems = {group.key.rpartition(".")[0] for group in groups}
    numbers = [group.key.rpartition(".")[2] for group in groups]
    if len(stems) != 1 or not all(number.isdigit() for number in numbers):
        names = ", ".join(group.key for group in groups)
        raise UnsupportedError(
            f"the modules {names} are not numbered, so that it is not known whether a batch "
            f"normalisation lies before or after the activation; {EXPORT}"
        )
    placed = dict(sorted(zip(map(int, numbers), groups, strict=True)))
    linear = [number for number, group in placed.items() if group.kind == "linear"]
    if not linear:
        raise UnsupportedError("the state dict has no Linear layer")
    slots = [_slot(placed, a, b) for a, b in pairwise(linear)]
    if any(placed[n].kind == "prelu" for n in placed if n < linear[0] or n > linear[-1]):
        raise UnsupportedError(f"a PReLU lies outside of the Linear layers; {EXPORT}")
    notes += [
        f"modules {a} and {b} follow each other in number: no activation between them"
        for (a, b), slot in zip(pairwise(linear), slots, strict=True)
        if slot is None
    ]
    *hidden, last = _chosen(options, slots, placed, notes, stated)
    chosen = iter(hidden)
    chain = Sequence(placed[linear[0]].parts["weight"].shape[1])
    slot_numbers = set(slots)
    for number in range(min(placed), max(placed) + 1):
        group = placed.get(number)
        if group is not None and group.kind == "linear":
            chain.linear(group.parts["weight"], group.parts.get("bias"), group.key)
        elif group is not None and group.kind == "norm":
            parts = [group.parts.get(k) for k in ("weight", "bias", "running_mean", "running_var")]
            record_normalisation(chain, parts, to_fmpq(_BATCH_EPSILON), group.key, notes)
        elif group is not None:
            chain.activate(group.parts["weight"], fmpq(1), group.key)
        elif number in slot_numbers:
            record_activation(chain, next(chosen), f"module {number}")
    if last is not LINEAR:
        if linear[-1] != max(placed):
            raise UnsupportedError(
                f"the file states an activation of the output, and module {max(placed)} stands "
                f"behind the last Linear layer: it is not clear which comes first; {EXPORT}"
            )
        record_activation(chain, last, "output")
    return Network(chain.layers(), name, {"notes": notes})


def _slot(placed: Mapping[int, _Group], first: int, second: int) -> int | None:
    """The number of the activation between two Linear layers; None if there is no room."""
    between = range(first + 1, second)
    if not between:
        return None
    sloped = [n for n in between if n in placed and placed[n].kind == "prelu"]
    free = [n for n in between if n not in placed]
    norms = [n for n in between if n in placed and placed[n].kind == "norm"]
    if len(sloped) == 1 and not free:
        return sloped[0]
    one_side = all(n < min(free) for n in norms) or all(n > max(free) for n in norms) if free else 0
    if sloped or not one_side:
        raise UnsupportedError(
            f"between the modules {first} and {second} it is not clear which number is the "
            f"activation; {EXPORT}"
        )
    return free[0]


def _chosen(
    options: LoadOptions,
    slots: list[int | None],
    placed: Mapping[int, _Group],
    notes: list[str],
    stated: Stated | None,
) -> list[Activation]:
    """The activations of the open slots, and of the output."""
    own = [n for n in slots if n is not None and n in placed]
    open_slots = [n for n in slots if n is not None and n not in placed]
    named = options.activation is not None and normalised(options.activation) == "prelu"
    if own:
        wide = [n for n in own if placed[n].parts["weight"].size > 1]
        if wide and not named:
            raise UnsupportedError(
                f"module {wide[0]} has one weight per unit and no bias: a PReLU, or a "
                "normalisation; say --activation prelu if it is the first"
            )
        if stated is not None and {normalised(name) for name in stated.names} - {"prelu"}:
            raise UnsupportedError(
                f"the file states the activations {', '.join(stated.names)} ({stated.where}), but "
                f"module {own[0]} is a PReLU; {EXPORT}"
            )
        notes.append("the slopes of the PReLUs are in the file")
        if not open_slots:
            if options.activation is not None and not named:
                raise NetworkError("the file states its activations: leave out --activation")
            return [LINEAR]
    chosen, told = layer_activations(options, len(open_slots) + 1, stated=stated)
    notes += told
    return chosen
