"""Proofs of networks that others trained: RPM, HorizontalCAS, ACAS Xu."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import polyrank as pr
from polyrank.proof.check import check
from tests.conftest import shared
from tests.proof.runs import write
from tests.test_real_networks import _pendulum, _quadratic


def _accepted(path: Path, net: Any, domain: Any, **options: Any) -> Any:
    run = write(path / "run", net, domain, **options)
    assert run.certified
    report = check(path / "run")
    assert report.complete
    assert report.regions == run.count
    return report


@pytest.mark.parametrize("engine", ["dictionary", "highs"])
@pytest.mark.parametrize(("model", "regions"), [(_pendulum, 18), (_quadratic, 202)])
def test_rpm(model: Any, regions: int, engine: str, tmp_path: Path) -> None:
    net, space, _ = model()
    report = _accepted(tmp_path, net, space.domain(), engine=engine)
    assert report.regions == regions  # published: Vincent and Schwager (2021)


def _hcas() -> Any:
    net = pr.load(shared("hcas_nnet/HCAS_rect_v6_pra0_tau00_25HU_3000.nnet"))
    header = net.source["header"]
    return net, pr.Box(header["lower"], header["upper"])


def test_horizontal_cas_through_two_layers(tmp_path: Path) -> None:
    net, domain = _hcas()
    _accepted(tmp_path, net, domain, through_layer=2)


def test_a_property_without_a_proof(tmp_path: Path) -> None:
    """Two inputs are fixed by the property: the manifest proves that the domain is flat."""
    net = pr.load(shared("acasxu_nnet/ACASXU_run2a_1_1_batch_2000.nnet"), raw=True)
    domain = pr.vnnlib_domain(shared("acasxu_onnx/prop_4.vnnlib"))
    run = pr.enumerate_regions(net, domain, out=tmp_path / "run", through_layer=2)
    pr.save(net, tmp_path / "net.json")
    report = check(tmp_path / "run", network=tmp_path / "net.json")
    assert (report.checked, report.layers, report.network_layers) == (run.count, 2, 7)
    assert report.doubt.startswith("there is no proof log")


@pytest.mark.slow
def test_horizontal_cas(tmp_path: Path) -> None:
    net, domain = _hcas()
    _accepted(tmp_path, net, domain)


@pytest.mark.slow
@pytest.mark.parametrize("number", [3, 4])
def test_acas_xu(number: int, tmp_path: Path) -> None:
    net = pr.load(shared("acasxu_nnet/ACASXU_run2a_1_1_batch_2000.nnet"), raw=True)
    domain = pr.vnnlib_domain(shared(f"acasxu_onnx/prop_{number}.vnnlib"))
    _accepted(tmp_path, net, domain)
