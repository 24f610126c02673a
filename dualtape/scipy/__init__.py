"""SciPy's functions for traced values: the same names and arguments, in modules of the same names.

Plain arguments go to SciPy itself. The modules are imported when they are first used, and SciPy with them.
"""

import importlib

__all__ = ["interpolate", "linalg", "signal", "sparse", "special", "stats"]


def __getattr__(name):
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return __all__
