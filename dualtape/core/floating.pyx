"""What NumPy does about divisions by zero, overflows and invalid values, for loops that are called without it."""

import warnings

import numpy as np

from dualtape.core.kernels cimport DT_ROWS
from dualtape.core.loops cimport ufuncs as loops

from dualtape.errors import stack_level
from dualtape.rules.table import RULES

# For each flag the key of `np.geterr()`, and NumPy's words.
cdef tuple KINDS = (
    (1, "divide", "divide by zero"),
    (2, "over", "overflow"),
    (4, "under", "underflow"),
    (8, "invalid", "invalid value"),
)


cdef int report(int row, int flags) except -1:
    """Warn, raise or call as `np.errstate` has it, for flags that a row's loop has raised."""
    if loops[row].loop == NULL:
        return 0  # it ran no loop of NumPy's, and NumPy's ufunc of it would not report
    name = "matmul" if row == DT_ROWS else RULES[row].ufuncs[0].rpartition(".")[2]
    settings = np.geterr()
    for flag, kind, words in KINDS:
        if not flags & flag or settings[kind] == "ignore":
            continue
        how = settings[kind]
        message = f"{words} encountered in {name}"
        if how == "raise":
            raise FloatingPointError(message)
        if how == "warn":
            warnings.warn(message, RuntimeWarning, stacklevel=stack_level())
        elif how == "print":
            print(f"Warning: {message}")
        elif np.geterrcall() is None:
            raise NameError(f"{how} specified for {words} (in {name}) but no function or object found.")
        elif how == "call":
            np.geterrcall()(words, flags)
        else:
            np.geterrcall().write(f"Warning: {message}\n")
    return 0


def clear_flags():
    """Forget what earlier operations have raised."""
    dt_clear_flags()


def report_flags(int row):
    """Warn or raise, as `np.errstate` has it, about what a row has raised since `clear_flags`."""
    cdef int flags = dt_raised_flags()
    if flags:
        report(row, flags)
