"""What NumPy's protocols add: arrays with derivatives, and NumPy's functions on traced values."""

from dualtape.arrays import functions, methods, ufunc

__all__ = ["functions", "methods", "ufunc"]
