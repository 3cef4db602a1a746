"""Polyrank: certified enumeration of the linear regions of piecewise-linear networks.

The names below are loaded on first use, so that ``import polyrank`` is light::

    import polyrank as pr
    net = pr.load("net.npz")
    run = pr.enumerate_regions(net, domain=pr.Box(-1, 1))
    run.count, run.undecided, run.rank_histogram(layer=1), run.table
"""

from __future__ import annotations

import importlib
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from polyrank.api.questions import at, homology, slice  # noqa: A004
    from polyrank.api.run import Run, enumerate_regions, open_run, resume_run
    from polyrank.api.samples import sample
    from polyrank.counts.bounds import Bounds, bounds
    from polyrank.ensembles.ensemble import Ensemble, ensemble
    from polyrank.errors import (
        DomainError,
        EmptyDomainError,
        FormatError,
        NetworkError,
        PolyrankError,
        RefutedError,
        RunError,
        UncertifiedError,
        UnsupportedError,
    )
    from polyrank.image.homeomorphism import homeomorphism
    from polyrank.image.separate import Separation, separate
    from polyrank.minrank.maximum import maximum_rank
    from polyrank.minrank.minimum import minimum_rank
    from polyrank.network.formats import from_onnx, from_sklearn, from_torch, load, save
    from polyrank.network.initialise import random_network
    from polyrank.network.normal_form import Layer, Network
    from polyrank.polyhedra.domain import Box, Polytope, Simplex, Slice, WholeSpace
    from polyrank.polyhedra.vnnlib import vnnlib_domain
    from polyrank.proof.directory import check
    from polyrank.regions.count import RegionCount, count_regions
    from polyrank.regions.foresight import Foresight, estimate_run
    from polyrank.regions.limits import Limits
    from polyrank.verification.verify import verify

__all__ = [
    "Bounds",
    "Box",
    "DomainError",
    "EmptyDomainError",
    "Ensemble",
    "Foresight",
    "FormatError",
    "Layer",
    "Limits",
    "Network",
    "NetworkError",
    "PolyrankError",
    "Polytope",
    "RefutedError",
    "RegionCount",
    "Run",
    "RunError",
    "Separation",
    "Simplex",
    "Slice",
    "UncertifiedError",
    "UnsupportedError",
    "WholeSpace",
    "__version__",
    "at",
    "bounds",
    "check",
    "count_regions",
    "ensemble",
    "enumerate_regions",
    "estimate_run",
    "from_onnx",
    "from_sklearn",
    "from_torch",
    "homeomorphism",
    "homology",
    "image",
    "load",
    "maximum_rank",
    "minimum_rank",
    "minrank",
    "open_run",
    "random_network",
    "resume_run",
    "sample",
    "save",
    "separate",
    "slice",
    "verify",
    "vnnlib_domain",
]

__version__ = "0.1.0"

_HOME = {
    "Bounds": "polyrank.counts.bounds",
    "Box": "polyrank.polyhedra.domain",
    "DomainError": "polyrank.errors",
    "EmptyDomainError": "polyrank.errors",
    "Ensemble": "polyrank.ensembles.ensemble",
    "Foresight": "polyrank.regions.foresight",
    "FormatError": "polyrank.errors",
    "Layer": "polyrank.network.normal_form",
    "Limits": "polyrank.regions.limits",
    "Network": "polyrank.network.normal_form",
    "NetworkError": "polyrank.errors",
    "PolyrankError": "polyrank.errors",
    "Polytope": "polyrank.polyhedra.domain",
    "RefutedError": "polyrank.errors",
    "RegionCount": "polyrank.regions.count",
    "Run": "polyrank.api.run",
    "RunError": "polyrank.errors",
    "Separation": "polyrank.image.separate",
    "Simplex": "polyrank.polyhedra.domain",
    "Slice": "polyrank.polyhedra.domain",
    "UncertifiedError": "polyrank.errors",
    "UnsupportedError": "polyrank.errors",
    "WholeSpace": "polyrank.polyhedra.domain",
    "at": "polyrank.api.questions",
    "bounds": "polyrank.counts.bounds",
    "check": "polyrank.proof.directory",
    "count_regions": "polyrank.regions.count",
    "ensemble": "polyrank.ensembles.ensemble",
    "enumerate_regions": "polyrank.api.run",
    "estimate_run": "polyrank.regions.foresight",
    "from_onnx": "polyrank.network.formats",
    "from_sklearn": "polyrank.network.formats",
    "from_torch": "polyrank.network.formats",
    "homeomorphism": "polyrank.image.homeomorphism",
    "homology": "polyrank.api.questions",
    "load": "polyrank.network.formats",
    "maximum_rank": "polyrank.minrank.maximum",
    "minimum_rank": "polyrank.minrank.minimum",
    "open_run": "polyrank.api.run",
    "random_network": "polyrank.network.initialise",
    "resume_run": "polyrank.api.run",
    "sample": "polyrank.api.samples",
    "save": "polyrank.network.formats",
    "separate": "polyrank.image.separate",
    "slice": "polyrank.api.questions",
    "verify": "polyrank.verification.verify",
    "vnnlib_domain": "polyrank.polyhedra.vnnlib",
}


#: Rooms that can be called.
_ROOMS = {"image", "minrank"}
#: Old names: they work for one version.
_RENAMED = {"slice_regions": "slice"}


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"polyrank.{name}")
    if name in _RENAMED:
        today = _RENAMED[name]
        text = f"polyrank.{name} is polyrank.{today} now; the old name goes with the next version"
        warnings.warn(text, DeprecationWarning, stacklevel=2)
        return __getattr__(today)
    try:
        home = _HOME[name]
    except KeyError:
        raise AttributeError(f"module 'polyrank' has no attribute {name!r}") from None
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
