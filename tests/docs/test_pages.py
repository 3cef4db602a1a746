"""Every block of code of the documentation is executed, and prints what the page says.

A page's ``python`` blocks share one namespace; a ``text`` block after one is what it printed; lines
of a ``console`` block that begin with ``$`` are given to the command line, the lines below are what
it printed, where anything stands below. ``...`` stands for anything. ``python torch`` is executed
where torch is installed. The two ``sh`` blocks of the README are run by ``.ci/run``.
"""

from __future__ import annotations

import contextlib
import doctest
import inspect
import io
import re
import shlex
from importlib.util import find_spec
from pathlib import Path

import pytest

from polyrank_cli.main import app

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_BLOCK = re.compile(r"^```(\w+)( \w+)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _same(expected: str, got: str) -> bool:
    want = "\n".join(line.rstrip() for line in expected.strip().splitlines())
    have = "\n".join(line.rstrip() for line in got.strip().splitlines())
    return doctest.OutputChecker().check_output(want, have, doctest.ELLIPSIS)


def _console(block: str, capsys: pytest.CaptureFixture[str]) -> None:
    for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, expected = step.partition("\n")
        program, *arguments = shlex.split(command, comments=True)
        assert program == "polyrank"
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            app(arguments, prog_name="polyrank")
        out, err = capsys.readouterr()
        assert left.value.code not in {1, 2}, f"$ {command}\n{out}{err}"
        assert not expected.strip() or _same(expected, out + err), f"$ {command}\n{out}{err}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_a_page(
    page: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for package in ("bokeh", "jinja2", "matplotlib", "pandas"):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": page.stem}
    printed = None
    for kind, needed, text in _BLOCK.findall(page.read_text(encoding="utf-8")):
        if kind == "python" and (not needed or find_spec(needed.strip()) is not None):
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(compile(text, page.name, "exec"), names)
            printed = out.getvalue()
        elif kind == "text" and printed is not None:
            assert _same(text, printed), f"{page.name} printed\n{printed}"
            printed = None
        elif kind == "console":
            _console(text, capsys)
    pictures = {picture.name for picture in tmp_path.glob("*.png")}
    shown = re.findall(r"\]\((?:\.\./)?pictures/(\S+?)\)", page.read_text(encoding="utf-8"))
    # docs/make_pictures.py keeps what the page draws
    assert set(shown) - pictures - {"rooms.png"} == set()


def test_every_public_name_is_in_the_reference() -> None:
    import polyrank as pr

    page = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    paths = re.findall(r"^::: (polyrank\.\S+)$", page, re.MULTILINE)
    listed = {path.rpartition(".")[2]: path for path in paths}
    values = {n for n in pr.__all__ if not n.endswith("Error") and not n.startswith("__")}
    assert values - set(listed) == set()
    # the page is made from the text of modules, in which a wrapper has its own docstring
    griffe = pytest.importorskip("griffe")
    package = griffe.load("polyrank", search_paths=[ROOT])
    for name in sorted(values - {"image", "minrank"}):  # which are rooms as well
        shown = package[listed[name].removeprefix("polyrank.")]
        shown = shown.final_target if shown.is_alias else shown
        assert shown.docstring.value == inspect.getdoc(getattr(pr, name)), name


def test_every_verb_is_in_the_table_of_questions() -> None:
    import typer

    page = (ROOT / "docs" / "questions.md").read_text(encoding="utf-8")
    verbs = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    assert {v for v in verbs if f"polyrank {v} " not in page} - {
        "info", "convert", "summary", "region", "plot", "restrict",
    } == set()  # fmt: skip
