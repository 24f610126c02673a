"""What NumPy's protocols add to traced values."""

from dualtape.arrays import ufunc

__all__ = ["ufunc"]
