from __future__ import annotations

import json

import numpy as np
import pytest

from polyrank.errors import FormatError, NetworkError, UnsupportedError
from polyrank.network.formats import load
from polyrank.network.normal_form import Network
from polyrank.network.rational import to_fmpq


def loaded(tmp_path, document, **options):
    path = tmp_path / "net.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return load(path, **options)


def test_numbers_are_nearest_floats_and_strings_are_exact(tmp_path):
    text = """{"layers": [{"weight": [[0.1, "0.1", "1/3", 1e2, 9007199254740993, -0.0]],
               "bias": ["-2e-1"]}]}"""
    layer = loaded(tmp_path, text).layers[0]
    expected = [0.1, "1/10", "1/3", 100, 2**53, 0]
    assert list(layer.weight.entries()) == [to_fmpq(v) for v in expected]
    assert list(layer.bias.entries()) == [to_fmpq("-1/5")]


def test_activations(tmp_path):
    layers = [
        {"weight": [[1.0], [2.0]], "activation": "abs", "name": "first"},
        {"weight": [[1, 1]], "bias": [1], "activation": "leaky_relu", "slope": "1/100"},
        {"weight": [[1]] * 2, "activation": "prelu", "slope": [0.25, "1/3"]},
        {"weight": [[1, 1]], "slope_neg": [2], "slope_pos": ["1/7"]},
        {"weight": [[1]]},
    ]
    net = loaded(tmp_path, {"name": "named", "notes": ["kept"], "layers": layers})
    assert net.name == "named"
    assert net.layers[0].name == "first"
    assert [layer.slopes_exact[-1] for layer in net.layers] == [
        tuple(map(to_fmpq, pair))
        for pair in [(-1, 1), ("1/100", 1), ("1/3", 1), (2, "1/7"), (1, 1)]
    ]
    assert net.source["notes"] == ["kept"]


def test_silent_layers_take_the_callers_activation(tmp_path):
    document = {"layers": [{"weight": [[1]]}, {"weight": [[1]], "activation": "abs"}] * 2}
    net = loaded(tmp_path, document)
    assert [layer.slopes_exact[0][0] for layer in net.layers] == [0, -1, 0, -1]
    assert net.source["notes"][0].startswith("where it is silent, the file stores no activations")
    leaky = loaded(tmp_path, document, slope=0.5)
    assert [layer.slopes_exact[0][0] for layer in leaky.layers] == [to_fmpq(0.5), -1] * 2
    with pytest.raises(NetworkError, match="states its activations"):
        loaded(tmp_path, {"layers": [{"weight": [[1]], "activation": "relu"}]}, activation="abs")


def test_short_form(tmp_path):
    net = loaded(tmp_path, {"W0": [[1, -2]], "b0": [0.5], "W1": [[3]]})
    expected = Network.from_arrays([np.array([[1.0, -2.0]]), np.array([[3.0]])], [[0.5], [0.0]])
    assert net.sha256 == expected.sha256
    again = loaded(tmp_path, {"W2": [[3]], "W1": [[1, -2]], "b1": ["1/2"]})
    assert again.sha256 == expected.sha256


def test_cut_final(tmp_path):
    document = {"layers": [{"weight": [[1]], "activation": "relu"},
                           {"weight": [[1]], "activation": "Softmax"}]}  # fmt: skip
    with pytest.raises(UnsupportedError, match="layer 2: the activation 'Softmax'.*--cut-final"):
        loaded(tmp_path, document)
    net = loaded(tmp_path, document, cut_final=True)
    assert net.bits == (1, 0)
    assert net.source["notes"] == ["layer 2: the final Softmax was cut off"]


LAYER = {"weight": [[1.0]], "bias": [0.0]}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "not JSON"),
        ("[1]", 'expected a JSON object with "layers"'),
        ('{"W0": [[1]], "W0": [[2]]}', "the key 'W0' comes twice in one JSON object"),
        ('{"layers": [{"weight": [[1]], "weight": [[2]]}]}', "the key 'weight' comes twice"),
        ('{"a":' * 100_000, "nested too deeply"),
        ('{"layers": [{"weight": [[NaN]]}]}', r"layer 1, weight: entry \(0, 0\) is nan"),
        ('{"layers": [{"weight": [[1e999]]}]}', r"entry \(0, 0\) is inf"),
        ('{"layers": [{"weight": [[' + "9" * 5000 + "]]}]}", r"entry \(0, 0\) is inf"),
        ('{"layers": [{"weight": [[1e999, "1"]]}]}', "inf is not a finite number"),
        ('{"layers": [{"weight": [["1e99999999999"]]}]}', "more than 20000 digits"),
        ('{"layers": [{"weight": [["1e400"]]}]}', "too large for float64"),
        ({"layers": [LAYER], "extra": 1}, "unknown key 'extra'"),
        ({"layers": []}, "a list of at least one layer"),
        ({"name": "x"}, "a list of at least one layer"),
        ({"layers": [LAYER], "name": 5}, '"name" must be a string'),
        ({"layers": [LAYER], "notes": "x"}, '"notes" must be a list'),
        ({"layers": [LAYER], "notes": [1]}, '"notes" must be a list'),
        ({"layers": [5]}, 'layer 1 must be an object with a "weight"'),
        ({"layers": [{"bias": [1]}]}, 'layer 1 must be an object with a "weight"'),
        ({"layers": [LAYER | {"gain": 1}]}, "layer 1 has an unknown key 'gain'"),
        ({"layers": [LAYER | {"name": 1}]}, "layer 1: the name must be a string"),
        ({"layers": [{"weight": 1}]}, "expected a list of rows"),
        ({"layers": [{"weight": []}]}, "expected a list of rows"),
        ({"layers": [{"weight": [[1], [1, 2]]}]}, "row 1 has 2 entries, row 0 has 1"),
        ({"layers": [{"weight": [[True]]}]}, "'True' is not a number or a string"),
        ({"layers": [{"weight": [[None]]}]}, "'None' is not a number"),
        ({"layers": [{"weight": [["x"]]}]}, "layer 1, weight: 'x' is not a rational number"),
        ({"layers": [{"weight": [[1]], "bias": 1}]}, "layer 1, bias: expected a list of numbers"),
        ({"layers": [{"weight": [[1]], "bias": [1, 2]}]}, r"the bias has shape \(2,\)"),
        ({"layers": [{"weight": [[]]}]}, "no inputs"),
        ({"layers": [LAYER | {"slope": 1}]}, 'needs "activation"'),
        ({"layers": [LAYER | {"slope_neg": [1]}]}, 'needs "activation"'),
        ({"layers": [LAYER | {"activation": 1}]}, 'needs "activation"'),
        ({"layers": [LAYER | {"activation": "abs", "slope_neg": [0]}]}, 'needs "activation"'),
        ({"layers": [LAYER | {"activation": "relu", "slope": [1]}]}, "goes with leaky_relu"),
        ({"layers": [LAYER | {"activation": "relu", "slope": 1}]}, "layer 1: a slope"),
        (
            {"layers": [LAYER | {"activation": "prelu", "slope": True}]},
            "the slope must be a number",
        ),
        ({"layers": [LAYER | {"activation": "sin"}]}, "layer 1: the activation 'sin' is not piece"),
        ({"W0": [[1]], "x": 1}, "unknown key 'x' beside W0"),
        ({"W0": [[1]], "W2": [[1]]}, "W1 is missing"),
        ({"W0": [[1]], "b1": [1]}, "W1 is missing"),
        ({"W5": [[1]]}, "W1 is missing"),
    ],
)
def test_what_does_not_follow_the_schema_is_refused(tmp_path, document, message):
    with pytest.raises(NetworkError, match=message):
        loaded(tmp_path, document)


def test_bytes_that_are_not_text(tmp_path):
    path = tmp_path / "net.json"
    path.write_bytes(b'{"layers": "\xff\xfe"}')
    with pytest.raises(FormatError, match="not a text file: byte 12 is not UTF-8"):
        load(path)
