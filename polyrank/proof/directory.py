"""One question for whatever a directory claims: a run, a verdict, a statement, a certificate."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from polyrank.proof.check import Report
from polyrank.proof.check import check as check_run
from polyrank.proof.function import FunctionReport, check_function, is_function
from polyrank.proof.image import ImageReport, check_image, is_image
from polyrank.proof.one_to_one import OneToOneReport, check_one_to_one, is_certificate
from polyrank.proof.separation import SeparationReport, check_separation, is_separation
from polyrank.proof.verdict import VerdictReport, check_verdict, is_verdict

__all__ = ["AnyReport", "check"]

AnyReport = (
    Report | FunctionReport | ImageReport | OneToOneReport | SeparationReport | VerdictReport
)


def check(
    path: str | PathLike[str],
    *,
    network: str | PathLike[str] | None = None,
    sample: int | None = None,
    seed: int = 0,
    jobs: int = 1,
    exact: bool = False,
) -> AnyReport:
    """Derive again what a directory claims, with none of the code that made it.

    Parameters
    ----------
    path : path
        A run, or what ``polyrank verify``, ``homeomorphism``, ``image`` or ``separate`` wrote.
    network : path, optional
        The network's file, if it is no longer where the directory says.
    sample : int, optional
        Of a run: check so many random subtrees instead of all.
    seed : int
        Of that sample.
    jobs : int
        Processes, of a run.
    exact : bool
        Of a run: exact integers for every step; slower, with less code to trust.

    Returns
    -------
    Report, FunctionReport, ImageReport, OneToOneReport, SeparationReport or VerdictReport
        What was verified. ``doubt`` is empty if all of it was accepted; else it says what is open.

    Raises
    ------
    ProofRejectedError
        If something is false, or the log is no proof.
    NotDecidedError
        If nothing can be decided: there is no proof.
    PolyrankError
        If files cannot be read.
    """
    folder = Path(path)
    file = None if network is None else Path(network)
    if is_separation(folder):
        return check_separation(folder, network=file)
    if is_image(folder):
        return check_image(folder, network=file)
    if is_certificate(folder):
        return check_one_to_one(folder, network=file)
    if is_verdict(folder):
        return check_verdict(folder, network=file)
    if is_function(folder):
        return check_function(folder, network=file)
    return check_run(folder, network=file, sample=sample, seed=seed, jobs=jobs, exact=exact)
