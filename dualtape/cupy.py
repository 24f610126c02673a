"""CuPy's functions on plain and traced arrays alike: ``import dualtape.cupy as cp`` in place of ``import cupy as cp``.

Everything that CuPy has is here under its name. A function that has a derivative rule gives traced arrays where its
arguments are traced; one that has none raises NoRuleError there. CuPy's own ufuncs (``cupy.sin``)
let traced arrays through by themselves; its other functions (``cupy.linalg.solve``) do not: take them from here.

Examples
--------
>>> import dualtape as dt
>>> import dualtape.cupy as cp  # doctest: +SKIP
>>> a = cp.eye(3) * 2.0  # doctest: +SKIP
>>> dt.gradient(lambda a: cp.linalg.slogdet(a)[1])(a)  # doctest: +SKIP
array([[0.5, 0. , 0. ],
       [0. , 0.5, 0. ],
       [0. , 0. , 0.5]])
"""

import functools

from dualtape.boxed.front import front

__all__ = []


@functools.cache
def _front():
    try:
        import cupy
    except ImportError as error:
        raise ImportError(
            "dualtape.cupy needs CuPy: pip install 'dualtape[gpu]', or the cupy package for your version of CUDA"
        ) from error
    return front(cupy)


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return getattr(_front(), name)


def __dir__():
    return dir(_front())
