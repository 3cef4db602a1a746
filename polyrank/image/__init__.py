"""The image of a manifold under the layers of a network: exact, with its overlaps.

The room is callable: ``polyrank.image(network, manifold)`` is :func:`polyrank.api.images.image`,
as every name of ``polyrank`` is one of the facade.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from polyrank.api.images import Images


class _Room(ModuleType):
    def __call__(self, *arguments: Any, **options: Any) -> Images:
        """The images of a manifold and their homology."""
        facade = importlib.import_module("polyrank.api.images")
        found: Images = facade.image(*arguments, **options)
        return found


# a function polyrank.image would be replaced by this room as soon as that is imported
sys.modules[__name__].__class__ = _Room
