"""The sentences and tables of a report, where they differ from what the command line tests see."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from polyrank.report.summary import counted, format_histogram, verdict
from polyrank.report.tables import fitted, plain_table


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


def test_a_table_fits_a_hundred_columns(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    words = " ".join(f"{r}:{r + 1}" for r in range(30))
    table = plain_table(["layer", "regions", "ranks"], [["1", "7", words], ["2", "70", "0:1"]])
    assert max(map(len, table.splitlines())) == 100
    assert table.split()[-1] == "0:1"
    for entry in words.split():  # nothing is left out
        assert entry in table.split()
    # columns that do not fit stand below, with the first one again
    header = ["layer", *map(str, range(40))]
    below = plain_table(header, [["1", *["10,000"] * 40]])
    assert max(map(len, below.splitlines())) <= 100
    blocks = below.split("\n\n")
    assert [line.split()[0] for line in blocks[1].splitlines()] == ["layer", "-----", "1"]
    assert sum(block.count("10,000") for block in blocks) == 40
    # a wider one on request
    monkeypatch.setenv("COLUMNS", "500")
    assert "\n\n" not in plain_table(header, [["1", *["10,000"] * 40]])
    monkeypatch.setenv("COLUMNS", "no number")
    assert plain_table(header, [["1", *["10,000"] * 40]]) == below


def test_sentences_go_on_in_the_next_line():
    text = "certified: " + "word " * 40
    lines = fitted(f"short\n{text}").splitlines()
    assert lines[0] == "short"
    assert max(map(len, lines)) <= 100
    assert all(line.startswith("  word") for line in lines[2:])
    assert " ".join(" ".join(lines[1:]).split()) == text.strip()
    assert fitted("a" * 300) == "a" * 300  # what has no blank stays in one piece
