"""``polyrank info`` and ``polyrank convert``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import polyrank as pr

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "horizontal_cas"
NNET = EXAMPLE / "HCAS_rect_v6_pra0_tau00_25HU_3000.nnet"


def test_info_of_the_example(polyrank):
    found = polyrank("info", NNET)
    assert found.status == 0
    assert "3-25-25-25-25-25-5" in found.out
    assert "125 hyperplanes" in found.out
    assert "25 ReLU" in found.out
    assert "note: the header's input normalisation was folded into the first layer" in found.out
    shown = json.loads(polyrank("info", NNET, "--json").out)
    assert shown["widths"] == [3, 25, 25, 25, 25, 25, 5]
    assert shown["bits"] == [25, 25, 25, 25, 25, 0]
    assert shown["hash"] == pr.load(NNET).sha256
    assert shown["source"]["normalisation"] == "folded"
    assert shown["layers"][0]["dyadic"] is False
    assert shown["layers"][1]["dyadic"] is True
    assert shown["layers"][5]["slopes"] == [{"neg": "1", "pos": "1", "units": 5}]
    raw = json.loads(polyrank("info", NNET, "--json", "--raw").out)
    assert raw["source"]["normalisation"] == "raw"
    assert all(layer["dyadic"] for layer in raw["layers"])


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ([], "3 ReLU"),
        (["--slope", "1/100"], "3 LeakyReLU 1/100"),
        (["--activation", "abs"], "3 absolute value"),
        (["--activation", "linear"], "3 linear"),
    ],
)
def test_slopes(polyrank, plane, options, shown):
    assert shown in polyrank("info", plane, *options).out


def test_unusual_slopes_are_spelled(polyrank, tmp_path):
    half = pr.Network.from_arrays([[[1.0]], [[1.0]]], [[0.0], [0.0]])
    scaled = type(half.layers[0])(
        half.layers[0].weight, half.layers[0].bias, half.layers[0].slope_neg,
        half.layers[0].weight.from_floats([0.5]),
    )  # fmt: skip
    pr.save(pr.Network((scaled, half.layers[1])), tmp_path / "half.json")
    assert "1 slopes 0, 1/2" in polyrank("info", tmp_path / "half.json").out


def test_slopes_of_many_digits_are_rounded_and_say_so(polyrank, plane):
    found = polyrank("info", plane, "--slope", "1e-400")
    assert "3 LeakyReLU ≈1e-400\n" in found.out
    assert "numbers marked ≈ are rounded" in found.out
    exact = json.loads(polyrank("info", plane, "--slope", "1e-400", "--json").out)
    assert exact["layers"][0]["slopes"] == [{"neg": f"1/1{'0' * 400}", "pos": "1", "units": 3}]


def test_convert_keeps_the_function(polyrank, tmp_path):
    found = polyrank("convert", NNET, tmp_path / "net.json")
    assert found.status == 0
    assert "wrote" in found.err
    assert pr.load(tmp_path / "net.json").sha256 == pr.load(NNET).sha256
    again = polyrank("convert", NNET, tmp_path / "net.json")
    assert again.status == 1
    assert "the file exists" in again.err
    raw = polyrank("convert", NNET, tmp_path / "raw.npz", "--raw")
    assert raw.status == 0
    assert pr.load(tmp_path / "raw.npz").sha256 == pr.load(NNET, raw=True).sha256
    unknown = polyrank("convert", NNET, tmp_path / "net.txt")
    assert unknown.status == 1
    assert "cannot write this format" in unknown.err


def test_the_input_range_of_the_example_is_the_header():
    header = pr.load(NNET).source["header"]
    stated = json.loads((EXAMPLE / "input_range.json").read_text())
    for side in ("lower", "upper"):
        assert [float(v) for v in stated[side]] == header[side]
