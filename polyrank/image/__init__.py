"""The image of a manifold under the layers of a network: exact, with its overlaps.

The room is callable: ``polyrank.image(network, manifold)`` is :func:`polyrank.api.images.image`,
as every name of ``polyrank`` is one of the facade.
"""

from polyrank.room import call_by, public

__all__, __getattr__, __dir__ = public(
    __name__,
    {
        "barcode": ["LayerImages"],
        "certificate": ["save_certificate"],
        "homeomorphism": ["Homeomorphism", "LayerVerdict"],
        "image_certificate": ["save_images"],
        "linking": ["linking_matrix"],
        "overlap": ["Overlaps", "overlap_decomposition"],
        "separate": ["Separation"],
        "separation_certificate": ["save_separation"],
        "whole_space": ["LayerOnSpace", "layer_on_space"],
    },
)

call_by(__name__, "polyrank.api.images", "image")
