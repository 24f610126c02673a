"""The kinds of number, and which of them a value is: found by its type, importing nothing."""

import cmath
import functools
import importlib
import math
import numbers

from . import bind
from .namespace import OPERATORS, Namespace
from .orders import log_ndtr_n, sinc_n
from .rule import CONSTANTS
from .table import BY_NAME

__all__ = ["namespace_of"]


def namespace_of(value):
    """The namespace of a number.

    Parameters
    ----------
    value : object
        A number of any kind; anything else gets the namespace of objects.

    Returns
    -------
    Namespace

    Examples
    --------
    >>> from fractions import Fraction
    >>> namespace_of(2.5), namespace_of(Fraction(1, 3))
    (<namespace of real numbers>, <namespace of fractions>)
    """
    return _of_type(type(value))


@functools.lru_cache(maxsize=512)
def _of_type(kind):
    for base in kind.__mro__:
        package = base.__module__.partition(".")[0]
        if base is complex:
            return COMPLEX
        if base in (float, int):
            return REAL
        if base.__module__ == "fractions" and base.__name__ == "Fraction":
            return _fraction()
        if package in ("decimal", "_decimal", "_pydecimal") and base.__name__ == "Decimal":
            return _decimal()
        if package == "mpmath" and hasattr(base, "context"):
            return _of_context(base.context)
        if package == "sympy" and base.__name__ == "Basic":
            return _sympy()
        if package == "uncertainties" and base.__name__ == "AffineScalarFunc":
            return _uncertain()
        if package == "numpy" and base.__name__ == "ndarray":
            return ARRAY
        if package == "numpy" and base.__name__ == "generic":
            # np.float64 and np.complex128 were found above, as subclasses of Python's own.
            return COMPLEX if issubclass(kind, numbers.Complex) and not issubclass(kind, numbers.Real) else REAL
    return OBJECT


# Kinds outside of floats and complex numbers are looked up when the first such number is met: what they need, the
# decimal module above all, would make up much of the time that importing dualtape takes.
@functools.cache
def _fraction():
    from .rationals import FractionNamespace

    return FractionNamespace()


@functools.cache
def _decimal():
    from .decimals import DecimalNamespace

    return DecimalNamespace()


@functools.cache
def _of_context(context):
    from .multiprecision import MpmathNamespace

    return MpmathNamespace(context)


@functools.cache
def _sympy():
    from .symbolic import SympyNamespace

    return SympyNamespace()


@functools.cache
def _uncertain():
    return UncertainNamespace()


class RealNamespace(Namespace):
    """Python's and NumPy's real numbers. The kernels compute on them, by IEEE 754."""

    name = "real numbers"

    def function(self, name):
        return bind.on_floats(name) if name in BY_NAME else None

    def is_number(self, value):
        return isinstance(value, numbers.Real) or _is_numpy_real(value)


def _is_numpy_real(value):
    # np.bool_ and some half-precision extensions are not registered as numbers.Real.
    return type(value).__module__ == "numpy" and hasattr(type(value), "__float__") and not hasattr(value, "__len__")


# SciPy's ufuncs of complex arguments, imported when one is first called.
_COMPLEX_UFUNCS = {
    "erf": "erf",
    "erfc": "erfc",
    "gamma": "gamma",
    "lgamma": "loggamma",
    "digamma": "psi",
    "ndtr": "ndtr",
    "log_ndtr": "log_ndtr",
    "iv": "iv",
    "jv": "jv",
}


class ComplexNamespace(Namespace):
    """Complex numbers: :mod:`cmath`, and SciPy's functions where they take complex arguments."""

    name = "complex numbers"

    def __init__(self):
        functions = {
            name: getattr(cmath, name)
            for name in "sqrt exp log log10 sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh".split()
        }
        functions |= {name: _scipy_complex(scipy) for name, scipy in _COMPLEX_UFUNCS.items()}
        iv, jv = functions["iv"], functions["jv"]
        functions |= {
            "exp2": lambda z: cmath.exp(z * CONSTANTS["LN2"]),
            "log2": lambda z: cmath.log(z) / CONSTANTS["LN2"],
            "expm1": _complex_expm1,
            "log1p": _complex_log1p,
            "softplus": _complex_softplus,
            "logaddexp": lambda x, y: x + _complex_softplus(y - x),
            "sinc": lambda z: sinc_n(0, z, math.pi, cmath.sin, cmath.cos, 1e-18),
            "sinc_n": lambda n, z: sinc_n(n, z, math.pi, cmath.sin, cmath.cos, 1e-18),
            "log_ndtr_n": self._log_ndtr_n,
            "i0": lambda z: iv(0, z),
            "i1": lambda z: iv(1, z),
            "j0": lambda z: jv(0, z),
            "j1": lambda z: jv(1, z),
        }
        super().__init__(functions)

    def _log_ndtr_n(self, n, z):
        ratio = cmath.exp(-0.5 * z * z - self._functions["log_ndtr"](z)) / CONSTANTS["SQRT_2PI"]
        return log_ndtr_n(n, z, ratio)

    def is_number(self, value):
        return isinstance(value, numbers.Complex)


def _scipy_complex(name):
    def function(*args):
        ufunc = getattr(importlib.import_module("scipy.special"), name)
        *order, z = args
        return complex(ufunc(*order, complex(z)))

    return function


def _complex_expm1(z):
    z = complex(z)
    half = math.sin(0.5 * z.imag)
    return complex(math.expm1(z.real) * math.cos(z.imag) - 2.0 * half * half, math.exp(z.real) * math.sin(z.imag))


def _complex_log1p(z):
    z = complex(z)
    if abs(z) > 0.5:
        return cmath.log(1.0 + z)
    # |1 + z|^2 - 1 = x (2 + x) + y^2, which keeps its digits near 0.
    return complex(0.5 * math.log1p(z.real * (2.0 + z.real) + z.imag * z.imag), math.atan2(z.imag, 1.0 + z.real))


def _complex_softplus(z):
    z = complex(z)
    return z + _complex_log1p(cmath.exp(-z)) if z.real > 0 else _complex_log1p(cmath.exp(z))


class UncertainNamespace(Namespace):
    """Numbers with uncertainties: each row is wrapped with its partial derivatives, which carry the errors on."""

    name = "numbers with uncertainties"

    def __init__(self):
        self._uncertainties = importlib.import_module("uncertainties")
        super().__init__()

    @functools.lru_cache(maxsize=256)  # noqa: B019 - there is one such namespace
    def function(self, name):
        if name in OPERATORS:
            return OPERATORS[name]
        if name not in BY_NAME:
            return None
        rule, kernel = BY_NAME[name], bind.functions[name]

        def slope(i):
            if rule.partials[i] is None:
                return lambda *args: 0.0
            return lambda *args: float(bind.partial(rule, i)(REAL, *args, kernel(*args)))

        floats = lambda *args: float(kernel(*args))
        return self._uncertainties.wrap(floats, [slope(i) for i in range(rule.arity)])

    def is_number(self, value):
        return hasattr(value, "nominal_value") and hasattr(value, "std_dev")


class ArrayNamespace(Namespace):
    """NumPy arrays: the ufuncs of the table."""

    name = "arrays"

    def function(self, name):
        if name in OPERATORS:
            return OPERATORS[name]
        for ufunc in BY_NAME[name].ufuncs if name in BY_NAME else ():
            module, _, attribute = ufunc.rpartition(".")
            return getattr(importlib.import_module(module), attribute)
        return None

    def is_number(self, value):
        return False


class ObjectNamespace(Namespace):
    """Anything else: Python's operators, and the methods that the value has, ``x.sin()`` or ``x.arcsin()``."""

    name = "objects"

    def function(self, name):
        if name in OPERATORS:
            return OPERATORS[name]
        if name not in BY_NAME:
            return None
        rule = BY_NAME[name]

        def function(x, *rest):
            for method in (rule.name, *rule.methods):
                if hasattr(x, method):
                    return getattr(x, method)(*rest)
            if rule.primitive:
                raise TypeError(f"{rule.name}() is not defined for {type(x).__name__!r}: it has no method of that name")
            return bind.value(rule)(self, x, *rest)

        return function

    def is_number(self, value):
        return isinstance(value, numbers.Number)


REAL = RealNamespace()
COMPLEX = ComplexNamespace()
ARRAY = ArrayNamespace()
OBJECT = ObjectNamespace()
