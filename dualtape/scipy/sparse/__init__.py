"""`scipy.sparse`: constant sparse matrices times traced arrays, and sparse matrices of traced numbers."""

import importlib

import scipy.sparse

from dualtape.scipy.sparse.matrices import Sparse, coo_array, csc_array, csr_array, matmul

__all__ = ["Sparse", "coo_array", "csc_array", "csr_array", "linalg", "matmul"]


def __getattr__(name):
    if name == "linalg":
        return importlib.import_module("dualtape.scipy.sparse.linalg")
    return getattr(scipy.sparse, name)
