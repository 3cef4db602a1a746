"""``--jobs``: what a verb prints does not depend on the number of its threads."""

from __future__ import annotations

import json

import numpy as np
import pytest

_VERBS = {
    "restrict": ["NET", "torus:6", "--below", "2"],
    "homology": ["NET", "torus:6", "--below", "2", "--image-time", "0"],
    "minrank": ["NET", "--layer", "3", "--box", "-1", "1", "--below", "3"],
}


@pytest.mark.parametrize("verb", _VERBS)
def test_the_same_answer_with_any_number_of_threads(polyrank, tmp_path, verb):
    rng = np.random.default_rng(4)
    shapes = [(6, 3), (5, 6), (4, 5)]
    arrays = {f"w{k}": np.round(rng.normal(size=s), 2) for k, s in enumerate(shapes)}
    arrays |= {f"b{k}": np.round(rng.normal(size=s[0]), 2) for k, s in enumerate(shapes)}
    path = tmp_path / "net.npz"
    np.savez(path, **arrays)
    arguments = [path if a == "NET" else a for a in _VERBS[verb]]
    answers = []
    for jobs in (1, 2, 7):
        found = polyrank(verb, *arguments, "--json", "--jobs", jobs)
        assert found.status == 0
        answers.append({**json.loads(found.out), "seconds": 0})
    assert answers[1] == answers[0]
    assert answers[2] == answers[0]
    assert polyrank(verb, *arguments, "--jobs", 0).status == 2
