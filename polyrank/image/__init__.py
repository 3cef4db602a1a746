"""The image of a manifold under the layers of a network: exact, with its overlaps.

The room is callable: ``polyrank.image(network, manifold)`` is :func:`polyrank.api.images.image`,
as every name of ``polyrank`` is one of the facade.
"""

from polyrank.room import call_by

call_by(__name__, "polyrank.api.images", "image")
