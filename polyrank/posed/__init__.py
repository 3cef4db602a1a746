"""The posed problem: charts of domains, cube coordinates, exact maps on prefixes of signs."""
