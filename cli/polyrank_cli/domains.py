"""The domain that the command line asks for: at most one of the options, read exactly.

Numbers are taken exactly as they are written: ``0.1`` on the command line or in a JSON file is
1/10; an entry of a float array in an npz file is the dyadic rational that it encodes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

import polyrank as pr
from polyrank.polyhedra.domain import Domain
from polyrank.polyhedra.files import box_from_file, polytope_from_file, slice_from_file
from polyrank_cli.convention import input_range
from polyrank_cli.options import DomainChoice

if TYPE_CHECKING:
    from polyrank.network.normal_form import Network

__all__ = ["chosen_domain"]


def chosen_domain(choice: DomainChoice, network: Network | None = None) -> Domain:
    """The domain of the command line; all of R^n when no option is given.

    ``--input-range`` is that of the network's header, in the units in which it was read.

    ``--slice`` may be combined with ``--box``, ``--box-file`` or ``--polytope``, which then speak
    of the slice's own coordinates.

    Raises
    ------
    typer.BadParameter
        If the options contradict one another.
    DomainError
        If a file is missing, damaged or does not describe a domain.
    """
    given = {
        "--box": choice.box,
        "--box-file": choice.box_file,
        "--vnnlib": choice.vnnlib,
        "--polytope": choice.polytope,
        "--input-range": choice.input_range or None,
    }
    named = [name for name, value in given.items() if value is not None]
    if len(named) > 1:
        raise typer.BadParameter(f"{' and '.join(named)} each name a domain; give one of them")
    if choice.case is not None and choice.vnnlib is None:
        raise typer.BadParameter("--case chooses among the cases of --vnnlib, which is missing")
    for name in ("--vnnlib", "--input-range"):
        if choice.slice is not None and given[name] is not None:
            raise typer.BadParameter(f"--slice cannot be combined with {name}")
    inner = _plain(choice, network)
    if choice.slice is None:
        return pr.WholeSpace() if inner is None else inner
    return slice_from_file(choice.slice, inner)


def _plain(choice: DomainChoice, network: Network | None) -> Domain | None:
    if choice.input_range:
        return input_range(network)
    if choice.box is not None:
        low, high = (side.split(",") if "," in side else side for side in choice.box)
        return pr.Box(low, high)
    if choice.box_file is not None:
        return box_from_file(choice.box_file)
    if choice.polytope is not None:
        return polytope_from_file(choice.polytope)
    if choice.vnnlib is not None:
        return pr.vnnlib_domain(choice.vnnlib, choice.case)
    return None
