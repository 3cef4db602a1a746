"""What a file says of its activations in words, beside the arrays that it stores.

A string array of an ``.npz``, a cell of names in a ``.mat``, an entry beside a state dict or the
metadata of a ``.safetensors`` file: what is said there is believed, and never replaced by the
default. Words count if their key speaks of activations (``activation``, ``act_fcns``,
``transferFcn``). Under other keys they are evidence that is weighed: names that can only be those
of activations are not passed over, but the caller may say that they mean something else.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from polyrank.errors import FormatError
from polyrank.network.formats.activations import UNMISTAKABLE, is_known, normalised

__all__ = [
    "Stated",
    "left_out",
    "name_and_slope",
    "speaks_of_activations",
    "speaks_of_others",
    "stated_activations",
    "without_slopes",
    "words_of",
]

_SPEAKING = frozenset(
    {"activ", "activation", "activations", "nonlin", "nonlinearity", "nonlinearities", "actfun",
     "actfcn", "actfn", "actfunc", "activationfcn", "activationfn", "actfuncs", "actfcns"}
)  # fmt: skip
_MAYBE = frozenset({"act", "acts", "transfer", "nonlinear"})  # act is also short for action
_FUNCTION = frozenset({"fn", "fns", "fcn", "fcns", "fun", "func", "funcs", "function", "functions"})
_OF_OTHERS = frozenset(
    {"checkpoint", "checkpointing", "dropout", "regularizer", "regulariser", "norm", "bits",
     "quant", "quantizer", "quantization", "memory", "offload", "loss", "penalty", "dtype",
     "action", "criterion", "objective"}
)  # fmt: skip
_CURVED = UNMISTAKABLE & {
    "tanh", "sigmoid", "tansig", "logsig", "elu", "selu", "celu", "gelu", "silu", "swish", "mish",
    "softplus", "softsign", "hardswish",
}  # fmt: skip
_OUTPUT = frozenset({"out", "output", "outputs", "final", "last"})
_SLOPE = frozenset({"negativeslope", "leakyslope", "leakyreluslope", "leakyrelunegativeslope"})
_CALL = re.compile(r"(?:[A-Za-z_]\w*\.)*([A-Za-z_]\w*)\s*(?:\((.*)\))?", re.DOTALL)
_CLASS = re.compile(r"<(?:class|function)\s+'?(?:[\w.]*\.)?(\w+)'?(?:\s+at\s+\w+)?>")
_NEGATIVE = re.compile(
    r"(?:negative_slope\s*=\s*)?([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*"
    r"(?:,\s*inplace\s*=\s*\w+\s*)?"
)
_INPLACE = re.compile(r"\s*(?:inplace\s*=\s*\w+|True|False)?\s*")
_DEEPEST, _MOST, _LONGEST = 6, 10_000, 100_000


@dataclass(frozen=True, slots=True)
class Stated:
    """The activations that a file names, as it writes them.

    Attributes
    ----------
    names : tuple of str
        One for all layers (``several`` is false), or one for each.
    several : bool
        Whether the file gives a list.
    output : str or None
        The activation of the output layer, if it is named apart.
    slope : float or None
        A negative slope that stands beside the names.
    keys : tuple of str
        Where they were found.
    sure : bool
        Whether a key speaks of activations; otherwise only the words are those of activations.
    """

    names: tuple[str, ...]
    several: bool
    output: str | None
    slope: float | None
    keys: tuple[str, ...]
    sure: bool = True

    @property
    def where(self) -> str:
        """The keys, for messages."""
        return ", ".join(self.keys)[:200]


def left_out(entries: Mapping[str, Any], stated: Stated | None, what: str) -> list[str]:
    """Sentences that name the entries which are neither weights nor names of activations."""
    used = () if stated is None else stated.keys
    return [
        f"{what} {key} is not numeric and was left out"
        for key in entries
        if not any(k == key or k.startswith(f"{key}.") for k in used)
    ]


def words_of(name: str) -> list[str]:
    """The words of a name in lower case: ``actorFc1.weight`` → actor, fc, 1, weight."""
    split = re.sub(r"([a-z])([A-Z])", r"\1 \2", name)
    return [word.lower() for word in re.findall(r"[A-Za-z]+|\d+", split)]


def speaks_of_activations(key: str) -> bool:
    """Whether a key is one under which activations, or the slope of one, are named."""
    words = set(words_of(key))
    if speaks_of_others(key):
        return False
    named = words & _SPEAKING or (words & _MAYBE and words & _FUNCTION)
    return bool(named) or normalised(key) in _SLOPE


def speaks_of_others(key: str) -> bool:
    """Whether a key names a loss, a regulariser and the like, whose words are no activations."""
    return bool(set(words_of(key)) & _OF_OTHERS)


def _flat_words(entries: Mapping[Any, Any], prefix: str = "", depth: int = 0) -> dict[str, Any]:
    """Texts, lists of texts and numbers in nested mappings, also spelled ones, by dotted keys.

    What belongs to an optimiser, a schedule or a callback says nothing of the network.
    """
    found: dict[str, Any] = {}
    for key, given in entries.items():
        if not isinstance(key, (str, int)) or len(found) > _MOST:
            continue
        if set(words_of(str(key))) & {"optimizer", "optim", "optimiser", "scheduler", "callbacks"}:
            continue
        name = f"{prefix}{key}"
        value = _unfolded(given)
        if isinstance(value, (list, tuple)) and any(isinstance(v, Mapping) for v in value):
            value = dict(enumerate(value))
        if isinstance(value, Mapping):
            if depth < _DEEPEST:
                found |= _flat_words(value, f"{name}.", depth + 1)
        elif isinstance(value, (str, float, int)) or (
            isinstance(value, (list, tuple))
            and value
            and all(isinstance(v, str) or v is None for v in value)
        ):
            found[name] = value
    return found


def _unfolded(value: Any) -> Any:
    """The mapping that a text spells in JSON or as a Python literal; other values unchanged."""
    text = value[0] if isinstance(value, (list, tuple)) and len(value) == 1 else value
    if not isinstance(text, str) or len(text) > _LONGEST or not text.lstrip().startswith("{"):
        return value
    for parse in (json.loads, ast.literal_eval):
        try:
            found = parse(text.strip())
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
        if isinstance(found, dict):
            return found
    return value


def stated_activations(entries: Mapping[Any, Any], part: str | None = None) -> Stated | None:
    """The activations that the texts beside the arrays name; None if they say nothing.

    Parameters
    ----------
    entries : mapping
        Texts, lists of texts and numbers, perhaps nested.
    part : str, optional
        The network that is read, if the file holds several: what is said of others is left out.

    Raises
    ------
    FormatError
        If two entries contradict each other.
    """
    words = _flat_words(entries)
    texts = {
        key: _split(value) for key, value in words.items() if isinstance(value, (str, list, tuple))
    }
    lists = {key for key, value in words.items() if isinstance(value, (list, tuple))}
    slopes = {
        key: float(value)
        for key, value in words.items()
        if _is_number(value) and normalised(key.rpartition(".")[2]) in _SLOPE
    }
    speaking = {key: text for key, text in texts.items() if _speaks(key, text)}
    sure = bool(speaking)
    if not speaking:
        speaking = {key: text for key, text in texts.items() if _unmistakable(key, text)}
    if part is not None:
        speaking = _of_part(speaking, part)
        slopes = _of_part(slopes, part)
    flags = {key: ("relu",) for key, value in words.items() if value is True and _is_flag(key)}
    if part is not None:
        flags = _of_part(flags, part)
    speaking |= flags
    sure = sure or bool(flags)
    if not speaking and not slopes:
        return None
    final = {key: text for key, text in speaking.items() if set(words_of(key)) & _OUTPUT}
    inner = {key: text for key, text in speaking.items() if key not in final}
    names, several = _hidden(inner)
    several = several or any(key in lists for key in inner)
    outputs = _one(final, "the output layer")
    if outputs is not None and len(outputs) != 1:
        raise FormatError(f"the file names {len(outputs)} activations of the output layer")
    slope = None
    if len(set(slopes.values())) == 1:
        slope = next(iter(slopes.values()))
    elif slopes:
        raise FormatError(f"the file states two slopes: {_listed(slopes)}")
    return Stated(
        names,
        several,
        outputs[0] if outputs else None,
        slope,
        (*speaking, *slopes),
        sure or not speaking,
    )


def without_slopes(
    arrays: Mapping[str, NDArray[Any]],
) -> tuple[dict[str, NDArray[Any]], dict[str, float]]:
    """The arrays that are no slopes, and the negative slopes that are stored as single numbers."""
    slopes = {
        key: float(array.ravel()[0])
        for key, array in arrays.items()
        if normalised(key) in _SLOPE and array.size == 1
    }
    return {key: array for key, array in arrays.items() if key not in slopes}, slopes


def _names(text: tuple[str, ...]) -> list[str]:
    return [normalised(name_and_slope(word)[0] or "linear") for word in text]


def _speaks(key: str, text: tuple[str, ...]) -> bool:
    if speaks_of_activations(key):
        return True
    words = set(words_of(key))
    return bool(words & _MAYBE) and not words & _OF_OTHERS and all(map(is_known, _names(text)))


def _unmistakable(key: str, text: tuple[str, ...]) -> bool:
    """Whether words under another key are names of activations, and one can be nothing else.

    So is a name that is put together with one that is not piecewise linear: ``mlp_tanh``.
    """
    names = _names(text)
    if speaks_of_others(key):
        return False
    if len(text) == 1 and not re.search(r"\s", text[0]) and _CURVED & set(words_of(text[0])):
        return True
    return any(name in UNMISTAKABLE for name in names) and all(map(is_known, names))


def _is_flag(key: str) -> bool:
    """Whether a key asks if the output has a ReLU: ``output_relu``, ``relu_last``."""
    words = set(words_of(key))
    return "relu" in words and bool(words & _OUTPUT)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _split(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        parts = re.split(r"[,;\n]+(?![^(]*\))", value.strip().strip("[]"))
        return tuple(part.strip().strip("'\"") for part in parts)
    return tuple("linear" if v is None else v.strip() for v in value)


def _of_part(entries: Mapping[str, Any], part: str) -> dict[str, Any]:
    """Entries that name the part, if some do; else those that name nothing in particular."""
    wanted = set(words_of(part))
    own = {key: v for key, v in entries.items() if wanted & set(words_of(key))}
    return own or dict(entries)


def _hidden(inner: Mapping[str, tuple[str, ...]]) -> tuple[tuple[str, ...], bool]:
    """The names of the hidden layers (or of all), and whether there is one for each."""
    if not inner:
        return (), False
    by_number: dict[str, dict[int, tuple[str, ...]]] = {}
    for key, text in inner.items():
        numbers = re.findall(r"\d+", key)
        if numbers and len(text) == 1:
            by_number.setdefault(re.sub(r"\d+", "#", key), {})[int(numbers[-1])] = text
    if len(by_number) == 1 and len(next(iter(by_number.values()))) == len(inner):
        (numbered,) = by_number.values()
        return tuple(numbered[k][0] for k in sorted(numbered)), True
    text = _one(inner, "the layers") or ()
    return text, len(text) > 1


def _one(entries: Mapping[str, tuple[str, ...]], what: str) -> tuple[str, ...] | None:
    different = {tuple(_names(text)) for text in entries.values()}
    if len(different) > 1:
        raise FormatError(f"the file states the activations of {what} twice: {_listed(entries)}")
    return next(iter(entries.values()), None)


def _listed(entries: Mapping[str, Any]) -> str:
    shown = [f"{k} = {', '.join(v) if isinstance(v, tuple) else v}" for k, v in entries.items()]
    return "; ".join(shown)[:300]


def name_and_slope(word: str) -> tuple[str, float | None]:
    """The name of an activation as code or a class writes it, and its slope if it has one.

    What has other arguments than a slope is returned whole: no activation has that name.

    Examples
    --------
    >>> name_and_slope("torch.nn.LeakyReLU(negative_slope=0.25)")
    ('LeakyReLU', 0.25)
    """
    word = word.strip()
    match = _CLASS.fullmatch(word)
    if match is not None:
        return match[1], None
    call = _CALL.fullmatch(word)
    if call is None:
        return word, None
    inside = call[2]
    if inside is None or _INPLACE.fullmatch(inside):
        return call[1], None
    slope = _NEGATIVE.fullmatch(inside)
    if slope is not None and normalised(call[1]) == "leakyrelu":
        return call[1], float(slope[1])
    return word, None
