"""The exceptions of polyrank: one small tree under :class:`PolyrankError`.

``UncertifiedError`` means *could not decide*; ``RefutedError`` means *proved false*. They are
never exchanged for one another.
"""

from __future__ import annotations

__all__ = [
    "DomainError",
    "EmptyDomainError",
    "FormatError",
    "NetworkError",
    "PolyrankError",
    "RefutedError",
    "RunError",
    "UncertifiedError",
    "UnsupportedError",
]


class PolyrankError(Exception):
    """Base of every error that polyrank raises on purpose."""


class NetworkError(PolyrankError):
    """The weights do not describe a network: shapes do not chain, NaN, inf, no layers."""


class FormatError(NetworkError):
    """A file cannot be read: missing, empty, truncated, corrupt, or of another format."""


class UnsupportedError(NetworkError):
    """The file is readable but holds something outside the scope, named in the message."""


class DomainError(PolyrankError):
    """The domain is malformed: lower above upper, wrong dimension, not finite."""


class EmptyDomainError(DomainError):
    """The domain has no interior point; the message carries the certificate."""


class RunError(PolyrankError):
    """A run directory cannot be written or read."""


class UncertifiedError(PolyrankError):
    """A question could not be decided within the limits given; nothing is claimed."""


class RefutedError(PolyrankError):
    """A claim was proved false; the message carries the counterexample."""
