"""The convolutional networks of mnist_cnn.py: training with numpy and scipy."""

import numpy as np
from adam import adam
from scipy import sparse

__all__ = ["GEOMETRY", "new", "train"]

GEOMETRY = ((1, 28, 5), (8, 12, 3))  # channels, size, kernel; stride 2
KERNELS = (8, 12)


def windows(channels, size, kernel):
    """Numbers of the inputs in every window, shape (windows, channels * kernel²)."""
    at, own = np.arange(0, size - kernel + 1, 2), np.arange(kernel)
    inside = (own[:, None] * size + own).ravel()
    inside = (np.arange(channels)[:, None] * size * size + inside).ravel()
    return (at[:, None] * size + at).reshape(-1, 1) + inside


WINDOWS = [windows(*g) for g in GEOMETRY]
SPREAD = sparse.csr_array(
    (np.ones(WINDOWS[1].size), (np.arange(WINDOWS[1].size), WINDOWS[1].ravel())),
    shape=(WINDOWS[1].size, KERNELS[0] * len(WINDOWS[0])),
)


def new(seed):
    """Kernels (n, channels * kernel²), biases, matrix and bias of the output: He's law."""
    rng, p = np.random.default_rng(seed), []
    inputs = [w.shape[1] for w in WINDOWS] + [KERNELS[1] * len(WINDOWS[1])]
    for n, m in zip(inputs, (*KERNELS, 10), strict=True):
        p += [rng.normal(size=(m, n)) * np.sqrt(2 / n), rng.uniform(-1, 1, m) / np.sqrt(n)]
    return p


def gradient(p, x, label):
    """Of the mean cross-entropy of softmax; pre-activations are (images, kernels * windows)."""
    z, columns = [], []
    for k, b, w in zip(p[:4:2], p[1:4:2], WINDOWS, strict=True):
        columns.append(x[:, w])
        z.append((columns[-1] @ k.T + b).transpose(0, 2, 1).reshape(len(x), -1))
        x = np.maximum(z[-1], 0)
    out = x @ p[4].T + p[5]
    share = np.exp(out - out.max(axis=1, keepdims=True))
    share /= share.sum(axis=1, keepdims=True)
    share[np.arange(len(x)), label] -= 1
    share /= len(x)
    found = [None, None, None, None, share.T @ x, share.sum(0)]
    back = (share @ p[4]) * (z[1] > 0)
    for layer in (1, 0):
        each = back.reshape(len(x), KERNELS[layer], -1).transpose(0, 2, 1)
        found[2 * layer] = np.tensordot(each, columns[layer], ((0, 1), (0, 1)))
        found[2 * layer + 1] = each.sum((0, 1))
        if layer:
            back = ((each @ p[2]).reshape(len(x), -1) @ SPREAD) * (z[0] > 0)
    return found


def train(x, label, seed, epochs, rate=0.003, batch=50):
    """The parameters after Adam, as float16."""
    rng, p = np.random.default_rng(seed), new(seed)
    step = adam(p, rate)
    for _ in range(epochs):
        for rows in rng.permutation(len(x)).reshape(-1, batch):
            step(gradient(p, x[rows], label[rows]))
    return [a.astype(np.float16) for a in p]
