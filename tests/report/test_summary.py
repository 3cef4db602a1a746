"""The sentences and tables of a report, where they differ from what the command line tests see."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from polyrank.report.summary import counted, format_histogram, verdict
from polyrank.report.tables import plain_table


def run(**fields):
    plain = {
        "certified": False, "status": "finished", "count": 5, "undecided": 2,
        "count_interval": (5, None), "manifest": {"limit": "100 regions"},
    }  # fmt: skip
    return SimpleNamespace(**(plain | fields))


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"certified": True}, "certified: exactly 5 regions"),
        ({"certified": True, "count": 1}, "certified: exactly 1 region"),
        (
            {"count_interval": (5, 2**40)},
            (
                "not certified: at least 5 regions and at most 1,099,511,627,776; "
                "2 undecided prefixes remain"
            ),
        ),
        (
            {"count_interval": (5, 5 + 2**300), "undecided": 1},
            "not certified: at least 5 regions and at most 2^301; 1 undecided prefix remains",
        ),
        ({}, "not certified: at least 5 regions; 2 undecided prefixes remain"),
        ({"status": "stopped"}, "partial: at least 5 regions; stopped at 100 regions"),
        ({"status": "failed"}, "partial: at least 5 regions; it failed"),
        ({"status": "running"}, "partial: at least 5 regions; it was killed or is still running"),
        ({"status": "odd"}, "partial: at least 5 regions; its status is 'odd'"),
    ],
)
def test_verdict(fields, sentence):
    assert verdict(run(**fields)) == sentence
    assert fields.get("certified") or "exactly" not in sentence
    assert counted(run(**fields)).startswith("at least ") != fields.get("certified", False)


def test_plain_table():
    table = plain_table(["name", "count"], [["a", "1,000"], ["long name", "-"]])
    assert table.splitlines() == [
        "name       count",
        "---------  -----",
        "a          1,000",
        "long name      -",
    ]
    assert format_histogram({"0": 3, "2": 1200}) == "0:3 2:1,200"
