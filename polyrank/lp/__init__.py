"""The LP oracle: verdicts with certificates, in floats with proven bounds and in rationals."""
