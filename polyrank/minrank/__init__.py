"""The least rank through a layer, proved without enumerating that layer's regions."""
