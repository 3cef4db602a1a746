"""The image of a manifold under the layers of a network: exact, with its overlaps.

The room is callable: ``polyrank.image(network, manifold)`` is
:func:`polyrank.image.barcode.image`.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from polyrank.image.barcode import LayerImages


class _Room(ModuleType):
    def __call__(self, *arguments: Any, **options: Any) -> LayerImages:
        """The images of a manifold and their homology."""
        from polyrank.image.barcode import image  # noqa: PLC0415

        return image(*arguments, **options)


# a function polyrank.image would be replaced by this room as soon as that is imported
sys.modules[__name__].__class__ = _Room
