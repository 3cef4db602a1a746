"""Every ONNX file of the shared data loads and equals onnxruntime, or is refused for a reason."""

from __future__ import annotations

import re
import sys

import numpy as np
import pytest

from polyrank.errors import UnsupportedError
from polyrank.network.formats.onnx import read
from polyrank.network.formats.options import LoadOptions
from polyrank.network.forward import forward
from tests.conftest import shared
from tests.network.formats_foreign.onnx_models import reference

# file name: reason; each is not piecewise linear, not deterministic, or too large
REFUSED = {
    "attitude_control_3_64_torch.onnx": r"'Sigmoid_1' \(Sigmoid\) is not piecewise linear",
    "quad_controller_3_64_torch.onnx": r"'Sigmoid_1' \(Sigmoid\) is not piecewise linear",
    "CartPole/model.onnx": r"Tanh' \(Tanh\) is not piecewise linear",
    "nn-nav-point.onnx": r"\(Tanh\) is not piecewise linear.*cut_final",
    "nn-nav-set.onnx": r"\(Tanh\) is not piecewise linear.*cut_final",
    "layer-zoo/tanh.onnx": r"\(Tanh\) is not piecewise linear.*cut_final",
    "softmax-last-layer.onnx": r"\(Softmax\) is not piecewise linear.*cut_final",
    "dropout_training_mode_true.onnx": r"\(Dropout\) is in training mode, which is random",
}
CUT = ("nn-nav-point.onnx", "nn-nav-set.onnx", "layer-zoo/tanh.onnx", "softmax-last-layer.onnx")


def test_every_shared_model(capsys):
    base = shared("manifest.json").parent
    lines = []
    refused = set()
    paths = sorted(base.rglob("*.onnx"))
    assert len(paths) == 88
    for path in paths:
        short = str(path.relative_to(base))
        expected = next((k for k in REFUSED if short.endswith(k)), None)
        if expected is not None:
            with pytest.raises(UnsupportedError) as caught:
                read(path, LoadOptions())
            assert re.search(REFUSED[expected], str(caught.value)), str(caught.value)
            refused.add(expected)
            lines.append(f"{short}: refused: {str(caught.value)[:100]}")
            continue
        network = read(path, LoadOptions())
        worst = 0.0
        for seed in range(3):
            point, result = reference(path, seed)
            got = forward(network, point)
            assert got.shape == result.shape, short
            worst = max(worst, float(np.abs(got - result).max() / max(1e-6, np.abs(result).max())))
        assert worst < 1e-5, (short, worst)
        lines.append(f"{short}: {network.widths}, {worst:.1e} from onnxruntime")
    with capsys.disabled():
        sys.stdout.write("\n" + "\n".join(lines) + "\n")
    assert refused == set(REFUSED)


@pytest.mark.parametrize("name", CUT)
def test_cut_final_gives_the_arguments(name):
    base = shared("manifest.json").parent
    (path,) = [p for p in base.rglob("*.onnx") if str(p).endswith(name)]
    network = read(path, LoadOptions(cut_final=True))
    assert any("cut off" in note for note in network.source["notes"])
    point, result = reference(path)
    got = forward(network, point)
    if "softmax" in name:
        exp = np.exp(got - got.max())
        final = exp / exp.sum()
    else:
        final = np.tanh(got)
    assert np.allclose(final, result, rtol=1e-5, atol=1e-6)
