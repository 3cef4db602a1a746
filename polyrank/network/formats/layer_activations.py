"""Which activation stands after which layer: what the file says, what the caller says, the default.

A file that names its activations is believed. Of one that stores weights only, the names of its
modules may leave no room for an activation between two layers; what they leave open is the
caller's choice, ReLU by default, and every assumption becomes a note.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from polyrank.errors import NetworkError, UnsupportedError
from polyrank.network.formats.activations import (
    FINAL_ACTIVATIONS,
    LINEAR,
    SLOPED,
    Activation,
    activation,
    normalised,
)
from polyrank.network.formats.options import LoadOptions
from polyrank.network.formats.stated import Stated, name_and_slope

__all__ = ["hidden_activations", "layer_activations"]

_NOTHING_CLOSED: Mapping[int, str] = {}


def layer_activations(
    options: LoadOptions,
    layers: int,
    *,
    stated: Stated | None = None,
    closed: Mapping[int, str] = _NOTHING_CLOSED,
) -> tuple[list[Activation], list[str]]:
    """The activations after each of ``layers`` dense layers, the output layer last.

    Parameters
    ----------
    options : LoadOptions
        ``activation``, ``slope`` and ``cut_final``.
    layers : int
    stated : Stated, optional
        What the file says.
    closed : mapping of int to str
        Joints (k is between the layers k and k + 1, from 0) that have no activation unless one
        is named for each hidden layer, with the sentence that says why.

    Returns
    -------
    activations : list of Activation, of length ``layers``
    notes : list of str
        What was believed and what was assumed.

    Raises
    ------
    NetworkError, UnsupportedError
        If a stated or given activation is unknown or not piecewise linear, or their number does
        not fit, or the caller contradicts the file.
    """
    given = options.activation is not None or options.slope is not None
    if stated is not None and not stated.sure:
        if given:  # the caller knows what the words mean
            stated = None
        else:
            _check_unsure(stated)
    options, beside = _with_slope(options, stated)
    if stated is None or not (stated.names or stated.output):
        hidden, notes = hidden_activations(options, layers - 1, closed=closed)
        return [*hidden, LINEAR], [*beside, *notes]
    where = f"the file states its activations ({stated.where}: {_shown(stated)})"
    if stated.names and given:
        raise NetworkError(f"{where}: leave out --activation and --slope")
    notes = [f"{where}: they are believed"]
    last = stated.output
    inner: list[str] | None = list(stated.names) or None
    if inner is not None and stated.several and len(inner) == layers:
        if last is not None and _same(last, inner[-1]) is False:
            raise NetworkError(f"{where}, and the output layer twice")
        last = inner.pop()
    elif inner is not None and len(inner) not in (1, layers - 1):
        raise NetworkError(
            f"{where}: {len(inner)} names for {layers} layers; expected one, one for each layer, "
            "or one for each but the last"
        )
    if inner is None:
        hidden, said = hidden_activations(options, layers - 1, closed=closed, output_known=True)
        notes += [*beside, *said]
    else:
        found = [_believed(name, stated, where) for name in inner]
        if len(found) == 1 and not (stated.several and layers <= 2):
            hidden = _spread(found[0], layers - 1, closed)
            notes += closed.values()
        else:
            hidden = found[: layers - 1]
    if last is None:
        if inner is not None:
            notes.append("it names none for the output layer: taken as affine")
        return [*hidden, LINEAR], notes
    if options.cut_final and normalised(name_and_slope(last)[0]) in FINAL_ACTIVATIONS:
        notes.append(f"the final {last} was cut off as asked")
        return [*hidden, LINEAR], notes
    return [*hidden, _believed(last, stated, f"{where}; on the output layer")], notes


def _check_unsure(stated: Stated) -> None:
    """Refuse words that may be the activations, unless they change nothing.

    Raises
    ------
    NetworkError, UnsupportedError
        If it matters whether they are.
    """
    names = [normalised(name_and_slope(word)[0]) for word in stated.names]
    if names == ["relu"] and not stated.several and stated.output is None:
        return
    raise UnsupportedError(
        f"the file says {_shown(stated)} under {stated.where}, which may be its activations: if "
        "they are not, say --activation relu; if they are, --activation with their names"
    )


def _with_slope(options: LoadOptions, stated: Stated | None) -> tuple[LoadOptions, list[str]]:
    """A slope beside the weights counts as the caller's, if neither names an activation."""
    given = options.activation is not None or options.slope is not None
    if stated is None or stated.slope is None or stated.names or given:
        return options, []
    note = f"negative_slope = {stated.slope} lies beside the weights in the file: taken as --slope"
    return replace(options, slope=stated.slope), [note]


def _shown(stated: Stated) -> str:
    names = [*stated.names, *([f"{stated.output} on the output"] if stated.output else [])]
    return ", ".join(names)[:200]


def _same(first: str, second: str) -> bool:
    return normalised(name_and_slope(first)[0]) == normalised(name_and_slope(second)[0])


def _believed(word: str, stated: Stated, where: str) -> Activation:
    name, slope = name_and_slope(word)
    if slope is None and normalised(name) in SLOPED:
        slope = stated.slope
    try:
        return activation(name or "linear", slope)
    except NetworkError as problem:
        raise type(problem)(f"{where}: {problem}") from None


def _spread(act: Activation, hidden: int, closed: Mapping[int, str]) -> list[Activation]:
    """One activation for every joint that has room for it; for all, if none has."""
    if all(k in closed for k in range(hidden)):
        return [act] * hidden
    return [LINEAR if k in closed else act for k in range(hidden)]


def hidden_activations(
    options: LoadOptions,
    hidden: int,
    *,
    closed: Mapping[int, str] = _NOTHING_CLOSED,
    output_known: bool = False,
) -> tuple[list[Activation], list[str]]:
    """The activations of ``hidden`` hidden layers of a file that stores weights only.

    Parameters
    ----------
    options : LoadOptions
        ``activation`` and ``slope``; the default is ReLU everywhere.
    hidden : int
        Number of hidden layers.
    closed : mapping of int to str
        As :func:`layer_activations`.
    output_known : bool
        Whether the file names that of the output layer.

    Returns
    -------
    activations : list of Activation, of length ``hidden``
    notes : list of str
        Sentences that say what was assumed.

    Raises
    ------
    NetworkError, UnsupportedError
        As :func:`activation`, and if several names are given but not one per hidden layer.
    """
    asked = options.activation is not None or options.slope is not None
    given = options.activation
    if given is None:
        given = "relu" if options.slope is None else "leaky_relu"
    names = [part.strip() for part in given.split(",")]
    if len(names) not in (1, hidden):
        raise NetworkError(
            f"{len(names)} activations ({given}) for {hidden} hidden layers: give one name, or "
            f"one per hidden layer"
        )
    sloped = [options.slope if normalised(name) in SLOPED else None for name in names]
    if options.slope is not None and not any(value is not None for value in sloped):
        raise NetworkError(f"a slope ({options.slope}) goes with leaky_relu, not with {given!r}")
    chosen = [activation(name, slope) for name, slope in zip(names, sloped, strict=True)]
    if len(chosen) == 1:
        full = [LINEAR if k in closed else chosen[0] for k in range(hidden)]
        if asked and hidden and all(k in closed for k in range(hidden)):
            full, closed = chosen * hidden, {}
        chosen = full
    else:
        closed = {}
    used = [act for k, act in enumerate(chosen) if k not in closed]
    spoken = _spoken(used)
    said = "as asked" if asked else "the default"
    between = f"{spoken or 'none'} between the layers ({said})"
    note = f"the file stores no activations: {between}, none on the output"
    if output_known:
        note = f"the file stores no other activations: {between}"
    return chosen, [note, *closed.values()]


def _spoken(acts: Sequence[Activation]) -> str:
    return ", ".join(
        dict.fromkeys(
            f"{a.name} with negative slope {a.neg}" if a.name == "leaky_relu" else a.name
            for a in acts
        )
    )
