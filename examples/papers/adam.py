"""Adam's rule (D. P. Kingma, J. Ba, 2015), with numpy alone."""

import numpy as np

__all__ = ["adam"]


def adam(p, rate):
    """A function that moves the arrays of the list p along a gradient, by Adam's rule."""
    first, second, t = [np.zeros_like(a) for a in p], [np.zeros_like(a) for a in p], 0

    def step(gradient):
        nonlocal t
        t += 1
        for i, g in enumerate(gradient):
            first[i] = 0.9 * first[i] + 0.1 * g
            second[i] = 0.999 * second[i] + 0.001 * g * g
            by = first[i] / (1 - 0.9**t) / (np.sqrt(second[i] / (1 - 0.999**t)) + 1e-8)
            p[i] = p[i] - rate * by

    return step
