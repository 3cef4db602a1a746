from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrank.errors import FormatError, NetworkError
from polyrank.network.formats import load
from polyrank.network.formats.nnet import read
from polyrank.network.formats.options import LoadOptions
from polyrank.network.forward import forward_exact
from polyrank.network.normal_form import Network

WEIGHTS = "1,2,\n-3,4,\n0.5,\n-1,\n1,-1,\n2,\n"
NET = Network.from_arrays(
    [np.array([[1.0, 2.0], [-3.0, 4.0]]), np.array([[1.0, -1.0]])], [[0.5, -1.0], [2.0]]
)
STATISTICS = "-1,-2,\n1,2,\n3,0,-1,\n10,0.3,5,\n"


def loaded(tmp_path, text, **options):
    path = tmp_path / "net.nnet"
    path.write_text(text)
    return load(path, **options)


@pytest.mark.parametrize(
    "header",
    [
        "2,2,1,2,\n2,2,1,\n0,\n0\n0\n0\n0\n",
        "2\n2,2,1\n0\n0\n0\n0\n0\n",
        "2,2,1,2\n2,2,1,1\n0\n0\n0\n0\n0\n",
        "// a comment\n\n2,2,1,7,\n// another\n2, 2, 1,\n0,\n-1,-1,\n1,1,\n0,0,0,\n1,1,1,\n",
        "2,2,1,2,\n2,2,1,\n0,\n-1,-1\n1,1\n0,0,0\n1.0,1e0,+1.\n",
    ],
)
def test_header_variants(tmp_path, header):
    net = loaded(tmp_path, header + WEIGHTS)
    assert net.sha256 == NET.sha256
    assert net.layers[0].weight.is_float
    assert net.source["notes"][0] == "decimal text was read as the nearest float64"


def test_line_ends_and_byte_order_marks(tmp_path):
    text = "2\n2,2,1\n0\n0\n0\n0\n0\n" + WEIGHTS
    path = tmp_path / "net.nnet"
    path.write_bytes(text.replace("\n", "\r").encode())
    assert load(path).sha256 == NET.sha256
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode() + b"\r\n // end\r\n")
    assert load(path).sha256 == NET.sha256


def normalised(x, means, ranges, weights, biases):
    """The function that the format describes, in fractions: (x − m)/r, the layers, r y + m."""
    h = [(Fraction(v) - m) / r for v, m, r in zip(x, means[:-1], ranges[:-1], strict=True)]
    for k, (W, b) in enumerate(zip(weights, biases, strict=True)):
        h = [sum(Fraction(w) * v for w, v in zip(row, h, strict=True)) + Fraction(c)
             for row, c in zip(W, b, strict=True)]  # fmt: skip
        if k < len(weights) - 1:
            h = [max(v, Fraction(0)) for v in h]
    return [ranges[-1] * v + means[-1] for v in h]


@given(
    st.lists(st.floats(-5, 5), min_size=3, max_size=3),
    st.lists(st.floats(0.1, 100).map(lambda v: round(v, 3)), min_size=3, max_size=3),
    st.lists(st.fractions(-9, 9, max_denominator=9), min_size=2, max_size=2),
)
def test_the_normalisation_is_folded_exactly(tmp_path_factory, means, ranges, x):
    lines = ["0,0", "9,9", ",".join(map(repr, means)), ",".join(map(repr, ranges))]
    text = "2,2,1,2\n2,2,1\n0\n" + "\n".join(lines) + "\n" + WEIGHTS
    path = tmp_path_factory.mktemp("nnet") / "net.nnet"
    path.write_text(text)
    net, raw = load(path), load(path, raw=True)
    expected = normalised(
        x, [Fraction(v) for v in means], [Fraction(v) for v in ranges],
        [[[1, 2], [-3, 4]], [[1, -1]]], [[0.5, -1], [2]],
    )  # fmt: skip
    assert [Fraction(int(v.p), int(v.q)) for v in forward_exact(net, x)] == expected
    assert raw.sha256 == NET.sha256
    assert net.source["header"] == {
        "lower": [0.0, 0.0], "upper": [9.0, 9.0], "means": means, "ranges": ranges,
    }  # fmt: skip


def test_what_was_done_with_the_normalisation_is_recorded(tmp_path):
    head = "2,2,1,2\n2,2,1\n0\n"
    folded = loaded(tmp_path, head + STATISTICS + WEIGHTS)
    assert folded.source["normalisation"] == "folded"
    assert not folded.layers[0].weight.is_float
    assert any("input normalisation was folded" in note for note in folded.source["notes"])
    assert any("minima and maxima are not part" in note for note in folded.source["notes"])
    raw = loaded(tmp_path, head + STATISTICS + WEIGHTS, raw=True)
    assert raw.source["normalisation"] == "raw"
    assert any("left off" in note for note in raw.source["notes"])
    none = loaded(tmp_path, head + "0\n0\n0\n0\n" + WEIGHTS, raw=True)
    assert none.source["normalisation"] == "none"
    assert none.source["header"] == dict.fromkeys(["lower", "upper", "means", "ranges"])


def test_extra_statistics_the_last_is_the_output(tmp_path):
    """As in Marabou's truncated ACAS networks: 7 minima and 8 means for 5 inputs."""
    extra = "-1,-2,0,0,\n1,2,9,9,\n3,0,7,7,-1,\n10,0.3,8,8,5,\n"
    head = "2,2,1,2\n2,2,1\n0\n"
    net = loaded(tmp_path, head + extra + WEIGHTS)
    assert net.sha256 == loaded(tmp_path, head + STATISTICS + WEIGHTS).sha256
    assert "the header has 4 minima for 2 inputs" in net.source["notes"]
    assert net.source["header"]["means"] == [3.0, 0.0, -1.0]


def test_one_input_may_have_the_minimum_0(tmp_path):
    text = "1,1,1,1\n1,1\n0\n0,\n5,\n0\n0\n2\n3\n"
    assert loaded(tmp_path, text).source["header"]["lower"] == [0.0]
    text = "1,1,1,1\n1,1\n0\n0,\n0,\n0\n0\n2\n3\n"
    assert loaded(tmp_path, text).source["header"]["lower"] is None


HEAD = "2,2,1,2\n2,2,1\n0\n0\n0\n0\n0\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("// only a comment\n", "ends before the first line of the header"),
        (",\n", "line 1: '' in the first line of the header is not a whole number"),
        ("0\n1,1\n", "should start with the number of layers"),
        ("2,2\n", "should start with the number of layers"),
        ("two,2,1,2\n", "line 1: 'two' in the first line of the header is not a whole number"),
        ("-2\n", "is not a whole number"),
        ("99999999999999\n", "is not a whole number"),
        ("2\n2,2\n", "line 2: 2 layers need 3 sizes, got 2"),
        ("2\n2,2,1,2\n", "line 2: 4 sizes for 2 layers"),
        ("2\n2,0,1\n", r"a layer of size 0 in \[2, 0, 1\]"),
        ("2,3,1,2\n2,2,1\n", "announces 3 inputs and 1 outputs, but the sizes are"),
        ("2\n2,2,1\n0\n1\n", "line 4: 1 minima for 2 inputs: expected 2, or a single 0"),
        ("2\n2,2,1\n0\n0\n0\n0,0\n", "2 means for 2 inputs: expected 3"),
        ("2\n2,2,1\n0\n0\n0\n0,0,0\n0\n" + WEIGHTS, "means without ranges"),
        ("2\n2,2,1\n0\n0\n0\n0,0,0\n1,0,1\n" + WEIGHTS, "the range of entry 2 in the header is 0"),
        ("2\n2,2,1\n0\n0\n0\n0,nan,0\n", "'nan' in the means of the header is not a finite"),
        ("1\n30000,30000\n0\n0\n0\n0\n0\n1\n", "has 900030000 entries; at most"),
        ("1\n9999,9999\n0\n0\n0\n0\n0\n1\n", "announces 99990000 weights and biases, but the file"),
        (
            HEAD + "1,2,3\n" + WEIGHTS,
            "line 8: 3 numbers in row 1 of the weight of layer 1, expected 2",
        ),
        (HEAD + WEIGHTS + "1,2\n", "line 14: more numbers than the header announces"),
        (HEAD + WEIGHTS[:-3], r"ends before the bias of layer 2, row 1 of 1 \(truncated\)"),
        (HEAD + WEIGHTS[:-3] + "2,\n-1,\n2.7", "more numbers"),
        (HEAD.replace("0\n", "0,\n") + WEIGHTS[:-2], "the last line '2' has no comma"),
        (HEAD + WEIGHTS.replace("0.5", "1e999"), "'1e999' in the bias of layer 1 is not a finite"),
        (HEAD + WEIGHTS.replace("0.5", "inf"), "'inf' in the bias of layer 1 is not a finite"),
        (HEAD + WEIGHTS.replace("0.5", "1_0"), "'1_0' in the bias of layer 1 is not a finite"),
        (HEAD + WEIGHTS.replace("0.5", "x" * 99), "'x{27}...' in the bias"),
        (HEAD + WEIGHTS.replace("1,2,", "1,,2"), "3 numbers in row 1"),
        (HEAD + WEIGHTS.replace("1,2,", ",2"), "line 8: '' in the weight"),
    ],
)
def test_damaged_files(tmp_path, text, message):
    path = tmp_path / "net.nnet"
    path.write_text(text)
    with pytest.raises(FormatError, match=message):
        read(path, LoadOptions())


def test_files_that_are_not_text_or_too_large(tmp_path, monkeypatch):
    path = tmp_path / "net.nnet"
    path.write_bytes(b"\xff\xfe2,2")
    with pytest.raises(FormatError, match="not a text file"):
        load(path)
    monkeypatch.setattr("polyrank.network.formats.nnet._MAX_BYTES", 3)
    with pytest.raises(FormatError, match="the file has 5 bytes; at most 3 are read"):
        load(path)


def test_a_normalisation_that_overflows_is_refused(tmp_path):
    text = "1\n1,1\n0\n0\n0\n0,0\n1e-200,1e200\n1e200\n0\n"
    with pytest.raises(NetworkError, match="too large for float64"):
        loaded(tmp_path, text)
