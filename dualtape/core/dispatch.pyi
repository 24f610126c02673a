"""The short way from NumPy's ufuncs to nodes in C."""
