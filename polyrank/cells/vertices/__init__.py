"""The second fast engine: cells of dimension k ≤ 3 carried with their vertices and faces."""
