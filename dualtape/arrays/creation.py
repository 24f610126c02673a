"""Arrays into which traced values may be assigned: dt.array, dt.zeros and their kin."""

import numpy as np

from dualtape.arrays import moves
from dualtape.core.values import level_of, plain_array, plain_of

__all__ = ["array", "empty", "full", "ones", "zeros"]


def array(x, dtype=None):
    """An array of numbers, plain or traced.

    Parameters
    ----------
    x : array_like
        Numbers, traced values, arrays, and nested sequences of them.
    dtype : dtype, optional
        As of ``np.array``. Integers are plain, as those of ``x.astype(int)``.

    Returns
    -------
    Array, DualArray or VarArray
        A copy. Traced values may be assigned to its elements.

    Raises
    ------
    InputError
        If `x` holds anything but numbers.

    Examples
    --------
    >>> import dualtape as dt
    >>> dt.gradient(lambda x: (dt.array([x, 2.0 * x, 1.0]) ** 2).sum())(3.0)
    30.0
    """
    return moves.array(x, dtype)


def zeros(shape, dtype=float):
    """Zeros, into which traced values may be assigned.

    Parameters
    ----------
    shape : int or tuple of int
    dtype : dtype, optional

    Returns
    -------
    Array

    Examples
    --------
    >>> import dualtape as dt
    >>> def f(x):
    ...     y = dt.zeros(3)
    ...     y[1:] = x
    ...     return (y * y).sum()
    >>> dt.gradient(f)(3.0)
    12.0
    """
    return plain_array(np.zeros(shape, dtype=dtype), True)


def ones(shape, dtype=float):
    """Ones, into which traced values may be assigned.

    Parameters
    ----------
    shape : int or tuple of int
    dtype : dtype, optional

    Returns
    -------
    Array

    Examples
    --------
    >>> import dualtape as dt
    >>> dt.ones(2)
    Array([1., 1.])
    """
    return plain_array(np.ones(shape, dtype=dtype), True)


def empty(shape, dtype=float):
    """An array whose elements are to be assigned. They are zero until then.

    Parameters
    ----------
    shape : int or tuple of int
    dtype : dtype, optional

    Returns
    -------
    Array
    """
    return zeros(shape, dtype)


def full(shape, fill_value, dtype=None):
    """An array filled with one number, which may be traced.

    Parameters
    ----------
    shape : int or tuple of int
    fill_value : number or array_like
    dtype : dtype, optional

    Returns
    -------
    Array

    Examples
    --------
    >>> import dualtape as dt
    >>> dt.derivative(lambda x: dt.full(2, x).sum(), 1.0)
    2.0
    """
    if dtype is None:
        plain = np.asarray(plain_of(fill_value))
        dtype = plain.dtype if not level_of(fill_value) or plain.dtype.kind in "fc" else np.float64
    out = zeros(shape, dtype)
    out[...] = fill_value
    return out
