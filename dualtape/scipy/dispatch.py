"""Plain arguments to SciPy, traced ones to the functions of this package."""

import functools

import numpy as np

from dualtape.core.array import Array
from dualtape.core.traced import Traced

__all__ = ["instead_of", "is_traced"]


def is_traced(x):
    """Whether a value is traced, or a sequence with traced values in it."""
    if isinstance(x, (list, tuple)):
        return any(map(is_traced, x))
    if isinstance(x, np.ndarray) and x.dtype == object:
        return any(map(is_traced, x.ravel().tolist()))
    return isinstance(x, (Array, Traced))


def instead_of(function):
    """A decorator: the decorated function takes the place of SciPy's where an argument is traced."""

    def decorator(implementation):
        @functools.wraps(implementation)
        def dispatched(*args, **kwargs):
            if is_traced(args) or is_traced(list(kwargs.values())):
                return implementation(*args, **kwargs)
            return function(*args, **kwargs)

        return dispatched

    return decorator
