"""The hash of a network: equal functions as stored have one, different ones do not share it."""

from __future__ import annotations

import itertools

import numpy as np

from polyrank.network.normal_form import Layer, Network, affine_layer, relu_layer
from polyrank.network.rational import RationalArray


def _forged() -> tuple[Network, Network]:
    """1-1-11 and 1-1-1-10 with the same bytes, where parts are joined without their lengths.

    The slope 1/3 of one network and 1/31 of the other are followed by numbers whose bytes are, for
    the reader of the other network, the heads of further parts.
    """
    floats = RationalArray.from_floats
    data = bytearray(356)
    for at in (0, 9, 18, 27, 41, 122, 203):
        data[at] = ord("f")
    data[36:41] = b"10 1\n"
    data[284] = ord("q")
    text = ("1 " * 9 + "1/1" + "0" * 49).ljust(71, "3")
    data[285:356] = text.encode()
    for at in (0, 89, 178, 267):
        data[at] = ord("f")

    def doubles(at: int, count: int) -> np.ndarray:
        return np.frombuffer(bytes(data[at : at + 8 * count]), "<f8").copy()

    def first(slope: str) -> Layer:
        one = RationalArray.from_rationals([slope], (1,))
        return Layer(floats(np.ones((1, 1))), floats(np.zeros(1)), floats(np.zeros(1)), one)

    wide = Layer(
        floats(doubles(1, 11).reshape(11, 1)), *(floats(doubles(a, 11)) for a in (90, 179, 268))
    )
    small = Layer(
        floats(doubles(1, 1).reshape(1, 1)), *(floats(doubles(a, 1)) for a in (10, 19, 28))
    )
    last = Layer(
        floats(doubles(42, 10).reshape(10, 1)),
        floats(doubles(123, 10)),
        floats(doubles(204, 10)),
        RationalArray.from_rationals(text.split(), (10,)),
    )
    return Network((first("1/3"), wide)), Network((first("1/31"), small, last))


def test_parts_cannot_run_into_each_other() -> None:
    one, other = _forged()
    assert (one.widths, other.widths) == ((1, 1, 11), (1, 1, 1, 10))
    assert one.sha256 != other.sha256


def test_different_networks_have_different_hashes() -> None:
    """Every way to cut the same numbers into weights, biases, slopes and layers."""
    numbers = ["1", "1/3", "11", "1/31", "0"]
    networks = []
    for a, b, c in itertools.product(numbers, repeat=3):
        last = affine_layer(_exact([[c]]), _exact(["0"]))
        networks += [
            Network((relu_layer(_exact([[a]]), _exact([b]), slope=slope), last))
            for slope in ("0", "1/3")
        ]
        networks += [
            Network((affine_layer(_exact([[a], [b]]), _exact([c, "1"])),)),
            Network((affine_layer(_exact([[a, b]]), _exact([c])),)),
            Network(
                (
                    affine_layer(_exact([[a]]), _exact([b])),
                    affine_layer(_exact([[c]]), _exact(["0"])),
                )
            ),
        ]
    assert len({network.sha256 for network in networks}) == len(networks)


def test_equal_functions_as_stored_have_one_hash() -> None:
    plain = Network.from_arrays([[[1.0, -0.0]]], [[0.5]])
    named = Network((affine_layer(_exact([["1", "0"]]), _exact(["1/2"]), "other"),), "name")
    assert plain.sha256 == named.sha256


def _exact(rows: list) -> RationalArray:
    if isinstance(rows[0], list):
        return RationalArray.from_rationals(
            [v for row in rows for v in row], (len(rows), len(rows[0]))
        )
    return RationalArray.from_rationals(rows, (len(rows),))
