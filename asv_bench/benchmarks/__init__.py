"""Benchmarks of dualtape: what derivatives cost, as ratios to the same program in plain Python."""
