"""The entry point: help, version, and what must not be imported for them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import typer

import polyrank as pr
from polyrank_cli.main import app

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ["numpy", "pyarrow", "flint", "scipy", "onnx", "highspy", "pandas", "rich"]


def python(code: str) -> str:
    found = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'cli'}"},
    )
    return found.stdout


def ended(call: str, *then: str) -> str:
    """What a process prints that makes a call, by which it would leave, and goes on with lines."""
    lines = ["import sys", "from polyrank_cli.main import app, main", "try:", f"    {call}"]
    lines += ["except SystemExit as left:", "    assert not left.code", *then]
    return python("\n".join(lines))


@pytest.mark.parametrize(
    "arguments", [["--help"], ["enumerate", "--help"], ["info", "--help"], ["summary", "--help"]]
)
def test_help_imports_nothing_heavy(arguments):
    printed = ended(
        f"app({arguments!r}, prog_name='polyrank')",
        f"print([name for name in {HEAVY!r} if name in sys.modules])",
    )
    assert "Usage: polyrank" in printed
    assert printed.splitlines()[-1] == "[]"


@pytest.mark.parametrize("on_disk", [False, True])
def test_an_enumeration_loads_what_it_needs(plane, tmp_path, on_disk):
    output = ["-o", str(tmp_path / "run")] if on_disk else []
    arguments = ["enumerate", str(plane), "--box", "-1", "1", *output]
    unneeded = ["scipy", "pandas", "networkx", "dask", "distributed", "highspy", "onnx", "rich"]
    unneeded += ["pyarrow.compute", "polyrank_cli.verify"]
    printed = ended(
        f"app({arguments!r}, prog_name='polyrank')",
        f"print([name for name in {unneeded!r} if name in sys.modules])",
    )
    assert "certified: exactly" in printed
    assert printed.splitlines()[-1] == "[]"


def test_arrow_does_not_load_pandas_for_a_verb(plane, tmp_path):
    """It looks for pandas when it is given an array, and takes Ctrl-C there for its absence."""
    calls = [["enumerate", str(plane), "--box", "-1", "1", "-o", str(tmp_path / "run"), "-q"]]
    calls += [["graph", str(tmp_path / "run")], ["region", str(tmp_path / "run"), "0"]]
    for call in calls:
        printed = ended(
            f"sys.argv = ['polyrank', *{call!r}]; main()", "print('pandas' in sys.modules)"
        )
        assert printed.splitlines()[-1] == "False"


def test_rows_of_workers_do_not_load_pandas():
    """Outside of verbs it is in reach; witnesses that are no float64 points need it as little."""
    printed = python(
        "import sys\n"
        "import polyrank as pr\n"
        "rows, biases = [[1.0], [1.0]], [-1.0, -(1 + 2.0**-52)]\n"
        "net = pr.Network.from_arrays([rows, [[1.0, 1.0]]], [biases, [0.0]])\n"
        "run = pr.enumerate_regions(net)\n"
        "print(run.table['witness_exact'].null_count, 'pandas' in sys.modules)"
    )
    assert printed.splitlines()[-1] == "2 False"


def test_nor_do_rows_of_a_point():
    """Of which the witnesses have no coordinates."""
    printed = python(
        "import sys\n"
        "import polyrank as pr\n"
        "net = pr.Network.from_arrays([[[1.0]], [[1.0]]], [[-1.0], [0.0]])\n"
        "run = pr.enumerate_regions(net, pr.Box(1, 1))\n"
        "print(run.table['witness'].to_pylist(), 'pandas' in sys.modules)"
    )
    assert printed.splitlines()[-1] == "[[]] False"


def test_pandas_is_out_of_reach_for_a_verb():
    printed = ended(
        "sys.argv = ['polyrank', '--version']; main()",
        "try:",
        "    import pandas",
        "except ModuleNotFoundError as error:",
        "    print(error.name, error)",
    )
    assert printed.splitlines()[-1] == "pandas the command line does without pandas"


def test_the_list_of_verbs_loads_none_of_them():
    printed = ended(
        "app(['--help'], prog_name='polyrank')",
        "from polyrank_cli.verbs import VERBS",
        "modules = {f\"polyrank_cli.{verb.replace('-', '_')}\" for verb in VERBS}",
        "print(len(modules), sorted(modules & set(sys.modules)))",
    )
    assert printed.splitlines()[-1] == "24 []"


def test_import_polyrank_is_light():
    printed = python(
        f"import sys, polyrank\nprint([name for name in {HEAVY!r} if name in sys.modules])"
    )
    assert printed == "[]\n"


def test_every_public_name_loads():
    for name in pr.__all__:
        assert getattr(pr, name) is not None
    assert set(dir(pr)) == set(pr.__all__)
    with pytest.raises(AttributeError, match="module 'polyrank' has no attribute 'Bax'"):
        pr.Bax  # noqa: B018


def test_version(polyrank):
    found = polyrank("--version")
    assert (found.status, found.out) == (0, f"polyrank {pr.__version__}\n")


def test_no_arguments_show_the_help(polyrank):
    found = polyrank()
    assert found.status == 2
    assert "enumerate" in found.out + found.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["enumerate"],
        ["enumerate", "net.npz", "--box", "1"],
        ["enumerate", "net.npz", "--engine", "magic"],
        ["enumerate", "net.npz", "--case", "x"],
        ["explode"],
    ],
)
def test_wrong_usage(polyrank, arguments):
    found = polyrank(*arguments)
    assert found.status == 2
    assert found.out == ""
    assert "Error" in found.err


def test_no_line_of_the_list_of_verbs_is_cut_off(polyrank):
    printed = polyrank("--help").out
    verbs = printed.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()
    commands = typer.main.get_command(app).commands
    assert [line.split()[0] for line in verbs] == list(commands)
    assert all(line.endswith(".") and not line.endswith("...") for line in verbs)
