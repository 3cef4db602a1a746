"""What the names of layers say: which are one network, and where no activation fits.

A state dict is a flat list of arrays; its dotted names are the tree of modules that held them. Two
modules that are networks of their own (actor and critic, a network and its target, the members of
an ensemble) are never chained into one, not even if their sizes fit: the caller names the part.
Names whose order is settled by what they mean (encoder and decoder, features and classifier) are
one network. Numbers that follow each other in a ``Sequential`` leave no room for an activation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

from polyrank.errors import FormatError, UnsupportedError
from polyrank.network.formats.siblings import repetition, siblings
from polyrank.network.formats.stated import words_of

__all__ = ["check_one_network", "closed_joints", "natural", "part_of", "rank_in_chain", "skeleton"]

_STAGES = (
    {"input", "inputs", "in", "inp", "stem", "embed", "embedding", "pre", "prenet", "first"},
    {"encoder", "enc", "encode", "features", "feature", "extractor", "backbone", "base", "body",
     "trunk", "shared", "hidden", "hiddens", "layers", "mlp"},
    {"latent", "bottleneck", "neck", "middle", "mid", "bridge", "code"},
    {"decoder", "dec", "decode", "classifier", "head", "output", "outputs", "out", "final", "last",
     "regressor", "predictor", "readout", "projection", "projector", "classification"},
)  # fmt: skip
_DECODER = frozenset({"decoder", "dec", "decode"})
_RIVALS = frozenset(
    {"actor", "critic", "policy", "action", "value", "val", "pi", "vf", "qf", "q", "v", "k", "a",
     "target", "online", "advantage", "adv", "student", "teacher", "ema", "generator",
     "discriminator", "gen", "disc", "mu", "logvar", "mean", "std", "logstd", "sigma", "var",
     "logsigma", "key", "query", "expert", "experts", "router", "left", "right", "old", "new",
     "heads", "head", "baseline", "adversary", "aux", "auxiliary", "cls", "class", "classifier",
     "classification", "reg", "regressor", "regression", "box", "bbox", "branch", "tower",
     "member", "estimator"}
)  # fmt: skip
# lists whose elements lie side by side
_PARALLEL = frozenset(
    {"heads", "experts", "members", "ensemble", "critics", "actors", "branches", "towers", "models",
     "estimators", "agents", "policies"}
)  # fmt: skip
# words after which a number is that of a copy, not that of a layer
_COPIES = frozenset({"head", "heads", "branch", "tower", "member", "expert", "estimator"})
_BRANCHES = frozenset(
    {"skip", "shortcut", "residual", "downsample", "gate", "attn", "attention", "recurrent", "rnn",
     "lstm", "gru", "ih", "hh"}
)  # fmt: skip
_SMALL = frozenset({"q", "k", "v", "a", "pi", "mu", "old", "new"})
_LETTERS = frozenset("abcdefxyz")
_LIST = re.compile(r".*(?:s|list)|hidden|linear|lin|fc|dense|layer", re.IGNORECASE)
_UNNAMED = "unnamed"
_DEEPEST = 50


def natural(key: str) -> list[tuple[int, str]]:
    """A key for sorting in which numbers are compared as numbers."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", key)]


def skeleton(key: str) -> str:
    """A name with every number replaced by ``#``."""
    return re.sub(r"\d+", "#", key)


def _path(key: str) -> tuple[str, ...]:
    return tuple(part for part in re.split(r"[./]", key) if part) or (key,)


def _rooted(keys: Sequence[str]) -> tuple[int, list[tuple[str, ...]]]:
    """The paths of keys, and the length of the prefix that all share (wrappers of the model)."""
    paths = [_path(key) for key in keys]
    depth = 0
    while paths and all(len(p) > depth + 1 and p[depth] == paths[0][depth] for p in paths):
        depth += 1
    return depth, paths


def _groups(keys: Sequence[str]) -> dict[str, list[str]]:
    """The keys under each module of the first level at which there is more than one."""
    depth, paths = _rooted(keys)
    if len({path[: depth + 1] for path in paths}) == 1 and any(len(p) > depth + 1 for p in paths):
        depth += 1  # a module with weights of its own and modules inside
    groups: dict[str, list[str]] = {}
    for key, path in zip(keys, paths, strict=True):
        groups.setdefault(".".join(path[: depth + 1]), []).append(key)
    return groups


def _families(keys: Sequence[str]) -> dict[str, list[str]]:
    """Layers without modules of their own, by the rival words or the stems of their names."""
    depth, paths = _rooted(keys)
    names = {key: path[depth] for key, path in zip(keys, paths, strict=True)}
    holder = paths[0][depth - 1] if depth else ""
    if set(words_of(holder)) & _PARALLEL and all(name.isdigit() for name in names.values()):
        return {f"{holder}.{name}": [key] for key, name in names.items()}
    rivals = {key: _rivals(name) for key, name in names.items()}
    stems: dict[str, list[str]] = {}
    for key, name in names.items():
        stems.setdefault(_stem(name) or _UNNAMED, []).append(key)
    if _set_apart(list(rivals.values())):
        found: dict[str, list[str]] = {}
        for key, word in rivals.items():
            found.setdefault(word or _stem(names[key]) or _UNNAMED, []).append(key)
        return found
    if (labels := siblings(list(names.values()), _staged)) is not None:
        found = {}
        for key, label in zip(keys, labels, strict=True):
            found.setdefault(label, []).append(key)
        return found
    numbered = {stem: members for stem, members in stems.items() if len(members) > 1}
    first = {min(_number(names[key]) for key in members) for members in numbered.values()}
    if len(numbered) > 1 and len(first) == 1 and not _staged(list(numbered)):
        return stems
    return {"": list(keys)}


def _number(name: str) -> int:
    digits = re.search(r"\d+$", name)
    return int(digits[0]) if digits else -1


def _stem(name: str) -> str:
    """``actor_fc1`` → ``actor_fc``; ``W0`` and ``0`` have none."""
    return re.sub(r"[_\-]?\d+$", "", name).rstrip("_-: ")


def _rivals(name: str) -> str:
    """The words by which a name sets itself against others, with what counts them.

    ``q1_fc``: q1; ``head_b``: headb. The last number of a name is that of a layer.
    """
    words = words_of(name)
    found = []
    for k, word in enumerate(words):
        if word in _RIVALS and (word not in _SMALL or len(words) <= 4):
            after = words[k + 1] if k + 1 < len(words) else ""
            number = after if after.isdigit() or after in _LETTERS else ""
            of_layer = k + 2 == len(words) and word not in _COPIES and after.isdigit()
            found.append(word if of_layer else word + number)
    return "_".join(found)


def _set_apart(rivals: Sequence[str]) -> bool:
    """Whether names have different rival words.

    Single letters count only if all names have one, or if they are those of a dueling network.
    """
    different = set(rivals) - {""}
    return len(different) > 1 and (
        any(len(word) > 1 for word in different) or "" not in rivals or different == {"v", "a"}
    )


def rank_in_chain(name: str) -> int | None:
    """The place of a module in a network, if its name settles it: encoder before decoder."""
    for word in words_of(name):
        for rank, words in enumerate(_STAGES):
            if word in words:
                return rank
    return None


def _staged(names: Sequence[str]) -> bool:
    ranks = [rank_in_chain(name.rpartition(".")[2]) for name in names]
    return None not in ranks and len(set(ranks)) == len(ranks)


def _networks(
    keys: Sequence[str], sizes: Mapping[str, tuple[int, int]], depth: int = 0
) -> dict[str, list[str]]:
    """The networks among layers, by name; a single entry if they are one."""
    if depth > _DEEPEST:
        raise FormatError(f"the modules of {keys[0][:60]!r} are nested deeper than {_DEEPEST}")
    groups = _groups(keys)
    if len(groups) == 1:
        return {"": list(keys)}
    modules = {name: members for name, members in groups.items() if len(members) > 1}
    if not modules:
        whole = {members[0]: name for name, members in groups.items()}
        families = _families(keys)
        return {
            whole[members[0]] if len(members) == 1 and len(families) > 1 else name: members
            for name, members in families.items()
        }
    inner = {name: _networks(members, sizes, depth + 1) for name, members in modules.items()}
    heads = [_rivals(name.rpartition(".")[2]) for name in groups if name not in modules]
    apart = (
        any(len(parts) > 1 for parts in inner.values())
        or _set_apart(heads)
        or (len(modules) > 1 and not _one_after_another(groups, modules, sizes))
    )
    if not apart:
        return {"": list(keys)}
    result: dict[str, list[str]] = {}
    for name, members in groups.items():
        deeper = inner.get(name, {})
        result |= deeper if len(deeper) > 1 else {name: members}
    return result


def _one_after_another(
    groups: Mapping[str, list[str]],
    modules: Mapping[str, list[str]],
    sizes: Mapping[str, tuple[int, int]],
) -> bool:
    """Whether modules are stages of one network: their names say so, and their sizes fit."""
    if not _staged(list(modules)):
        return False
    if len(groups) > len(modules):
        return True  # layers stand between them; whether all fits is seen when they are chained
    staged = sorted(modules, key=lambda name: rank_in_chain(name.rpartition(".")[2]) or 0)
    ends = [(sizes.get(modules[name][0]), sizes.get(modules[name][-1])) for name in staged]
    return all(
        last is None or first is None or last[1] == first[0]
        for (_, last), (first, _) in pairwise(ends)
    )


def check_one_network(
    keys: Sequence[str], sizes: Mapping[str, tuple[int, int]], *, listed: bool = False
) -> None:
    """Refuse layers that are, or may be, several networks, with their names.

    Parameters
    ----------
    keys : sequence of str
        Names of layers.
    sizes : mapping
        (inputs, outputs) of each.
    listed : bool
        Whether the layers are a list, whose order is that of a chain even where sizes repeat
        themselves.

    Raises
    ------
    FormatError
        With the names of the parts and how to ask for one.
    """
    branches = [key for key in keys if set(words_of(key)) & _BRANCHES]
    if branches and len(keys) > 1:
        rest = ",".join(key for key in keys if key not in branches)
        raise FormatError(
            f"the layer {branches[0]!r} is by its name a branch, not a link of a chain; weights do "
            "not say where it joins; export the whole network to ONNX"
            + (f", or read a chain beside it: --part {rest}" if rest else "")
        )
    found = _networks(keys, sizes)
    if len(found) > 1:
        names = list(found)
        raise FormatError(
            f"the file holds several sets of weights, {', '.join(names)}, and which network they "
            f"make is not known: choose one, say --part {names[0]}; of parts that follow each "
            "other name all in their order, --part first,second"
        )
    if not listed:
        _check_sizes(keys, sizes)


def _check_sizes(keys: Sequence[str], sizes: Mapping[str, tuple[int, int]]) -> None:
    """Refuse layers whose sizes repeat themselves, where no container makes them a chain."""
    depth, paths = _rooted(keys)
    names = [path[depth] for path in paths]
    if any(len(path) > depth + 1 or path[depth].isdigit() for path in paths):
        return
    stems = list(dict.fromkeys(map(_stem, names)))
    length = repetition([sizes[key] for key in keys]) if set(keys) <= set(sizes) else None
    if length is None or (len(stems) > 1 and _staged(stems)):
        return
    blocks = [",".join(names[k : k + length]) for k in range(0, len(names), length)]
    raise FormatError(
        f"the layers {' and '.join(blocks)} have the same sizes: they are several networks, as in "
        f"a twin critic, or one that repeats itself: choose one, say --part {blocks[0]}, or, if "
        f"all are one, --part {','.join(blocks)}"
    )


def part_of(layers: Sequence[str], part: str) -> list[list[str]]:
    """The layers of the parts that the caller names, one list for each name.

    Parameters
    ----------
    layers : sequence of str
        Names of layers, and of arrays that belong to none.
    part : str
        The name of a module, or of a part as :func:`check_one_network` lists it; several are
        separated by commas.

    Raises
    ------
    UnsupportedError
        If a name stands for nothing.
    """
    depth, paths = _rooted(layers)
    shared = paths[0][:depth] if depth else ()
    groups = _groups(layers)
    families = _networks(layers, {})
    chosen: list[list[str]] = []
    for name in filter(None, (piece.strip() for piece in part.split(","))):
        wanted = _path(name)
        members = [
            key
            for key, path in zip(layers, paths, strict=True)
            if path[: len(wanted)] == wanted or path[: depth + len(wanted)] == (*shared, *wanted)
        ]
        members = members or families.get(name, [])
        if not members:
            known = dict.fromkeys([*groups, *(families if len(families) > 1 else ())])
            raise UnsupportedError(
                f"the file has no part {name!r}; it has {', '.join(known) or 'no parts'}"
            )
        chosen.append(members)
    if not chosen:
        raise UnsupportedError("--part needs the name of a part")
    return chosen


def closed_joints(modules: Sequence[str]) -> tuple[dict[int, str], list[str]]:
    """The joints of a chain of layers that have no activation, as far as names tell.

    Parameters
    ----------
    modules : sequence of str
        Dotted names of the modules of the layers, in order; empty where there is none.

    Returns
    -------
    closed : dict
        From k (between layers k and k + 1) to the sentence that says why.
    notes : list of str
        What was assumed where names leave it open.
    """
    closed: dict[int, str] = {}
    notes: dict[str, None] = {}
    paths = [_path(name) for name in modules]
    for k, (first, second) in enumerate(pairwise(paths)):
        depth = next((d for d, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), -1)
        if depth < 0:
            continue
        a, b = first[depth], second[depth]
        pair = f"{modules[k]} and {modules[k + 1]}"
        if a.isdigit() and b.isdigit() and int(b) == int(a) + 1 and len(first) == depth + 1:
            if any(part.isdigit() and part != "0" for part in second[depth + 1 :]):
                continue  # something stands before the layer inside of its own module
            holder = first[:depth]
            if holder and _LIST.fullmatch(holder[-1]) and _without_gaps(paths, holder):
                notes[
                    f"{'.'.join(holder)} is numbered without gaps: taken as a list of layers with "
                    "activations between them; if it is a Sequential of Linear layers alone, say "
                    "--activation linear"
                ] = None
                continue
            closed[k] = (
                f"{pair} follow each other in number: no activation between them (--activation "
                "with one name for each hidden layer says otherwise)"
            )
        elif set(words_of(b)) & _DECODER and not set(words_of(a)) & _DECODER:
            inside = [part for part in second[depth + 1 :] if part.isdigit()]
            if not any(part != "0" for part in inside):
                closed[k] = (
                    f"{pair}: no activation on the code of an autoencoder (assumed; --activation "
                    "with one name for each hidden layer says otherwise)"
                )
    return closed, list(notes)


def _without_gaps(paths: Sequence[tuple[str, ...]], holder: tuple[str, ...]) -> bool:
    depth = len(holder)
    numbers = {int(p[depth]) for p in paths if p[:depth] == holder and p[depth].isdigit()}
    return len(numbers) == max(numbers) - min(numbers) + 1
