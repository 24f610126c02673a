"""Elementwise functions over NumPy arrays: plain ones by the ufunc of the row, traced ones element by element."""

import importlib

import numpy as np

from dualtape.core import traced
from dualtape.core.traced import Traced
from dualtape.rules.table import RULES

__all__ = ["map_elements", "plain_ufunc", "scalar_as_object"]


def plain_ufunc(rule):
    """The NumPy or SciPy ufunc that a row is, or None."""
    for name in rule.ufuncs:
        module, _, attribute = name.rpartition(".")
        found = getattr(importlib.import_module(module), attribute, None)
        if found is not None:
            return found
    return None


def scalar_as_object(x):
    """A traced scalar as a 0-d object array, which NumPy broadcasts without a look inside."""
    out = np.empty((), dtype=object)
    out[()] = x
    return out


def map_elements(row, args):
    """A row of the table over arrays.

    Parameters
    ----------
    row : int
        The row's place in the table.
    args : tuple
        Numbers, traced values and arrays of them, of shapes that broadcast.

    Returns
    -------
    ndarray
        Of objects where any argument is traced; else what the ufunc gives.
    """
    rule = RULES[row]
    objects = any(isinstance(a, Traced) or (isinstance(a, np.ndarray) and a.dtype.hasobject) for a in args)
    ufunc = plain_ufunc(rule)
    if not objects and ufunc is not None:
        return ufunc(*args)
    elementwise = np.frompyfunc(lambda *xs: traced.apply_row(row, [traced.to_number(x) for x in xs]), len(args), 1)
    with np.errstate(all="ignore"):  # the kernels raise the flags of IEEE, which are not NumPy's to report
        out = elementwise(*[scalar_as_object(a) if isinstance(a, Traced) else a for a in args])
    return out if objects else np.asarray(out, dtype=np.float64)
