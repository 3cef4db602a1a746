"""Layers side by side that are no chain: twins, heads and copies, as their names or sizes show.

The layers of one module have names in which nothing but a letter, a word or a number differs.
Numbers that differ put them in a row. What this module finds is the rest: numbers that are counted
twice (``fc1_a``, ``fc2_a``, ``fc1_b``, ``fc2_b``), heads (``out1`` and ``out2``; ``fc_x`` and
``fc_y`` after ``fc2``; ``fc21`` and ``fc22`` after ``fc1``), and sizes that repeat themselves
(layers 1 to 3 and 4 to 6 of a twin critic).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

__all__ = ["repetition", "siblings"]

_NUMBERED = re.compile(r"(?P<stem>\D*)(?P<number>\d+)(?P<suffix>\D*)")
_LETTERED = re.compile(r"(?P<stem>.*[A-Za-z])[_\-](?P<letter>[A-Za-z])")
_OUTPUT = re.compile(
    r"(?P<stem>outputs?|out|logits?|final|last|readout)[_\-]?(?P<number>\d+|[a-z])", re.IGNORECASE
)


def siblings(names: Sequence[str], staged: Callable[[list[str]], bool]) -> list[str] | None:
    """What sets layers of one module apart.

    Parameters
    ----------
    names : sequence of str
        Of the layers, without the module's.
    staged : callable
        Whether names, by what they mean, have an order in one network.

    Returns
    -------
    list of str or None
        For each layer the name of the network that it belongs to; None if nothing sets them apart.
    """
    return _counted_twice(names, staged) or _heads(names)


def _counted_twice(names: Sequence[str], staged: Callable[[list[str]], bool]) -> list[str] | None:
    """Networks by what stands behind the numbers, where these come several times."""
    numbers: dict[tuple[str, str], set[str]] = {}
    labels = []
    for name in names:
        match = _NUMBERED.fullmatch(name)
        labels.append(name if match is None else match["stem"].rstrip("_-") + match["suffix"])
        if match is not None:
            numbers.setdefault((match["stem"], match["suffix"]), set()).add(match["number"])
    for stem in dict.fromkeys(stem for stem, _ in numbers):
        kinds = {suffix: found for (own, suffix), found in numbers.items() if own == stem}
        counted = sum(map(len, kinds.values()))
        if counted > len(set().union(*kinds.values())) and not staged(list(kinds)):
            return labels
    return None


def _heads(names: Sequence[str]) -> list[str] | None:
    """Heads after a trunk: outputs with numbers, letters after numbers, two digits after one."""
    for pattern in (_OUTPUT, _LETTERED):
        found = [pattern.fullmatch(name) for name in names]
        for stem in {match["stem"] for match in found if match is not None}:
            heads = [match is not None and match["stem"] == stem for match in found]
            trunk = [name for name, head in zip(names, heads, strict=True) if not head]
            after = pattern is _OUTPUT or any(
                (match := _NUMBERED.fullmatch(name)) and match["stem"].rstrip("_-") == stem
                for name in trunk
            )
            if sum(heads) > 1 and trunk and after:
                return [
                    name if head else _stem(name) for name, head in zip(names, heads, strict=True)
                ]
    return _split_numbers(names)


def _split_numbers(names: Sequence[str]) -> list[str] | None:
    """``fc21`` and ``fc22`` where ``fc2`` is missing: two layers in its place."""
    numbers: dict[str, set[int]] = {}
    for name in names:
        if (match := _NUMBERED.fullmatch(name)) and match["stem"] and not match["suffix"]:
            numbers.setdefault(match["stem"], set()).add(int(match["number"]))
    for stem, found in numbers.items():
        for missing in range(1, 10):
            split = {n for n in found if n // 10 == missing}
            rest = (found - split) | {missing}
            in_a_row = max(rest) - min(rest) + 1 == len(rest)
            if len(split) > 1 and missing not in found and len(rest) > 1 and in_a_row:
                heads = {f"{stem}{n}" for n in split}
                return [name if name in heads else _stem(name) for name in names]
    return None


def _stem(name: str) -> str:
    match = _NUMBERED.fullmatch(name)
    return name if match is None else (match["stem"] + match["suffix"]).rstrip("_-") or name


def repetition(sizes: Sequence[tuple[int, int]]) -> int | None:
    """The length of the shortest block, of two layers or more, that layers repeat, and chain so.

    Parameters
    ----------
    sizes : sequence of (int, int)
        Inputs and outputs, in order.

    Returns
    -------
    int or None
        None if there is none, or if all widths are equal: then nothing repeats but one layer.
    """
    count = len(sizes)
    if not sizes or sizes[-1][1] != sizes[0][0]:
        return None
    if len({width for pair in sizes for width in pair}) == 1:
        return None
    for length in range(2, count // 2 + 1):
        if count % length == 0 and list(sizes) == list(sizes[:length]) * (count // length):
            return length
    return None
