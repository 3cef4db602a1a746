"""Perceptrons of scikit-learn against their own predictions, and scalers in fractions."""

from __future__ import annotations

import warnings
from fractions import Fraction

import numpy as np
import pytest

from polyrank.errors import NetworkError, UnsupportedError
from polyrank.network.formats.sklearn import from_sklearn
from polyrank.network.forward import forward, forward_exact
from polyrank.network.rational import to_fmpq

pytest.importorskip("sklearn")
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
Y = np.abs(X).sum(axis=1)
LABELS = np.greater(Y, np.median(Y)).astype(int) + (X[:, 0] > 1)


def fitted(model, target):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it need not converge
        return model.fit(X, target)


def perceptron(kind, **options):
    return kind(hidden_layer_sizes=(5, 4), max_iter=20, random_state=1, **options)


@pytest.mark.parametrize("activation", ["relu", "identity"])
def test_regressor(activation):
    model = fitted(perceptron(MLPRegressor, activation=activation), Y)
    network = from_sklearn(model)
    assert np.allclose(forward(network, X)[:, 0], model.predict(X), rtol=1e-12)
    if activation == "relu":
        assert network.widths == (3, 5, 4, 1)
        for layer, weight, bias in zip(
            network.layers, model.coefs_, model.intercepts_, strict=True
        ):
            assert layer.weight.is_float
            assert np.array_equal(layer.weight.approx, weight.T)
            assert np.array_equal(layer.bias.approx, bias)
    assert network.source["format"] == "scikit-learn"


@pytest.mark.parametrize("classes", [2, 3])
def test_classifier(classes):
    model = fitted(perceptron(MLPClassifier), np.minimum(LABELS, classes - 1))
    with pytest.raises(UnsupportedError, match=r"ends in a (softmax|logistic).*cut_final=True"):
        from_sklearn(model)
    network = from_sklearn(model, cut_final=True, name="mine")
    assert network.name == "mine"
    scores = forward(network, X)
    chance = model.predict_proba(X)
    if classes == 2:
        assert np.allclose(1 / (1 + np.exp(-scores[:, 0])), chance[:, 1], rtol=1e-9)
    else:
        exp = np.exp(scores)
        assert np.allclose(exp / exp.sum(axis=1, keepdims=True), chance, rtol=1e-9)
    assert any("cut off" in note for note in network.source["notes"])


def test_standard_scaler_is_folded_exactly():
    model = make_pipeline(StandardScaler(), perceptron(MLPRegressor))
    fitted(model, Y)
    network = from_sklearn(model, output_relu=True)
    predicted = np.maximum(model.predict(X), 0)
    assert np.allclose(forward(network, X)[:, 0], predicted, rtol=1e-9, atol=1e-12)
    scaler, inner = (step for _, step in model.steps)
    x = [Fraction(1, 3), Fraction(-2), Fraction(5, 7)]
    h = [
        (v - Fraction(m)) / Fraction(s)
        for v, m, s in zip(x, scaler.mean_, scaler.scale_, strict=True)
    ]
    for k, (weight, bias) in enumerate(zip(inner.coefs_, inner.intercepts_, strict=True)):
        z = [
            Fraction(bias[j]) + sum(Fraction(weight[i, j]) * v for i, v in enumerate(h))
            for j in range(len(bias))
        ]
        h = [max(v, Fraction(0)) for v in z] if k < 2 else z
    assert forward_exact(network, x)[0] == to_fmpq(max(h[0], Fraction(0)))


def test_refusals():
    with pytest.raises(NetworkError, match="the model is a list"):
        from_sklearn([])
    with pytest.raises(NetworkError, match="not fitted"):
        from_sklearn(MLPRegressor())
    with pytest.raises(UnsupportedError, match="'tanh', which is not piecewise linear"):
        from_sklearn(fitted(perceptron(MLPRegressor, activation="tanh"), Y))
    with pytest.raises(UnsupportedError, match="step MinMaxScaler"):
        from_sklearn(fitted(make_pipeline(MinMaxScaler(), perceptron(MLPRegressor)), Y))


def test_other_output_activations():
    model = fitted(perceptron(MLPRegressor), Y)
    model.out_activation_ = "relu"
    assert (forward(from_sklearn(model), X) >= 0).all()
    model.out_activation_ = "tanh"
    with pytest.raises(UnsupportedError, match="'tanh'"):
        from_sklearn(model)
