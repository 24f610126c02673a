"""What NumPy's protocols add: arrays with derivatives, and NumPy's functions on traced values."""

from dualtape.arrays import (
    convolution,
    functions,
    grids,
    mapping,
    methods,
    nan_functions,
    padding,
    pointwise,
    polynomials,
    quantiles,
    rearranging,
    statistics,
    ufunc,
)

__all__ = [
    "convolution", "functions", "grids", "mapping", "methods", "nan_functions", "padding", "pointwise", "polynomials",
    "quantiles", "rearranging", "statistics", "ufunc",
]  # fmt: skip
