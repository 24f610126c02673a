"""Functions of single elements that are no rows of the rule table."""

import numpy as np

from dualtape.arrays import elementwise as rows
from dualtape.arrays.apply import apply
from dualtape.arrays.moves import setitem, where
from dualtape.arrays.protocol import OTHER, register
from dualtape.arrays.rearranging import element, plain_operand
from dualtape.arrays.reductions import as_array
from dualtape.core.array import Array
from dualtape.core.traced import ROWS, Traced
from dualtape.core.values import plain_of
from dualtape.errors import conversion

__all__ = ["angle", "nan_to_num", "sinc"]


def _with_slope(function, x, slope):
    """A NumPy function of real numbers, and the function that is its derivative."""

    def value(x):
        return _with_slope(function, x, slope) if isinstance(x, (Array, Traced)) else function(x)

    return apply(
        value,
        (x,),
        lambda k, t, out, x: rows.times(t, slope(x)),
        lambda k, bar, out, x: rows.times(bar, slope(x)),
        reads=("args",),
    )


def _real(x, name):
    x = as_array(x)
    if x.dtype.kind == "c":
        raise TypeError(f"np.{name} of complex traced arrays has no derivative rule")
    return x if x.dtype.kind == "f" else x.astype(np.float64)


@register(np.sinc)
def sinc(x):
    """sin(pi x) / (pi x)."""
    x = as_array(x)
    if x.dtype.kind == "c":
        y = np.pi * where(plain_of(x) == 0, 1.0e-20, x)
        return element(np.sin(y) / y)
    return element(_with_slope(np.sinc, _real(x, "sinc"), lambda x: rows.value(ROWS["sinc_n"], 1.0, x)))


@register(np.i0)
def i0(x):
    """The modified Bessel function of order 0."""
    return element(_with_slope(np.i0, _real(x, "i0"), lambda x: rows.value(ROWS["i1"], x)))


@register(np.angle)
def angle(z, deg=False):
    """The argument of complex numbers."""
    z = as_array(z)
    if z.dtype.kind == "c":
        a = np.arctan2(z.imag, z.real)
    else:
        a = np.angle(plain_of(z))
    return a * (180 / np.pi) if deg else a


@register(np.nan_to_num)
def nan_to_num(x, copy=True, nan=0.0, posinf=None, neginf=None):
    """Finite numbers in place of NaN and infinities: there the derivative is 0, or that of the number given."""
    a = as_array(x)
    if a.dtype.kind not in "fc":
        return np.nan_to_num(plain_of(a), copy, nan, posinf, neginf)
    if a.dtype.kind == "c":
        out = nan_to_num(a.real, True, nan, posinf, neginf) + 1j * nan_to_num(a.imag, True, nan, posinf, neginf)
        out = as_array(out).astype(a.dtype)
    else:
        plain, limits, out = plain_of(a), np.finfo(a.dtype), a
        for mask, value in (
            (np.isnan(plain), nan),
            (np.isposinf(plain), limits.max if posinf is None else posinf),
            (np.isneginf(plain), limits.min if neginf is None else neginf),
        ):
            if mask.any():
                out = where(mask, value, out)
        out = np.copy(out) if out is a else out.astype(a.dtype)
    if copy:
        return element(out)
    if not isinstance(x, Array):
        raise conversion("np.nan_to_num in place", "Leave copy=False away.")
    setitem(x, ..., out)
    return x


@register(np.real_if_close)
def real_if_close(a, tol=100):
    """The real part, where all imaginary parts are small."""
    x = as_array(a)
    return x if np.iscomplexobj(np.real_if_close(plain_of(x), tol)) or x.dtype.kind != "c" else x.real


# --- ufuncs ------------------------------------------------------------------------------------------------------


def heaviside(x, y):
    """0, y or 1 for x below, at or above 0."""
    plain = np.heaviside(plain_operand(x), plain_operand(y))
    out = where(plain_of(as_array(x)) == 0, y, plain)
    return element(out if not isinstance(out, Array) or out.dtype == plain.dtype else out.astype(plain.dtype))


def ldexp(x, n):
    """X times a power of 2."""
    return x * np.ldexp(np.ones((), as_array(x).dtype), plain_of(n))


def frexp(x):
    """Mantissa and exponent."""
    plain = plain_of(as_array(x))
    exponents = np.frexp(plain)[1]
    return ldexp(x, -exponents), exponents


def modf(x):
    """What is behind the point, and what is before it."""
    plain = plain_of(as_array(x))
    whole = np.trunc(plain)
    bounded = np.isfinite(plain)
    return (x - whole if np.all(bounded) else where(bounded, x - whole, 0.0)), whole


OTHER.update(heaviside=heaviside, ldexp=ldexp, frexp=frexp, modf=modf)


# --- functions that turn complex ---------------------------------------------------------------------------------


def _complex_where(outside, x):
    """An array as complex numbers where a function of real ones would give NaN."""
    x = as_array(x)
    return x.astype(np.result_type(x.dtype, np.complex64)) if np.any(outside(plain_of(x))) else x


def _negative(p):
    return np.isrealobj(p) & (np.real(p) < 0)


def _past_one(p):
    return np.isrealobj(p) & (abs(p) > 1)


def _turning(name, outside):
    f = getattr(np, name)

    def function(x):
        return element(f(_complex_where(outside, x)))

    function.__name__ = name
    register(getattr(np.lib.scimath, name))(function)
    return function


for _name in ("sqrt", "log2", "log10", "log"):
    _turning(_name, _negative)
for _name in ("arccos", "arcsin", "arctanh"):
    _turning(_name, _past_one)


@register(np.lib.scimath.logn)
def logn(n, x):
    """The logarithm to base n."""
    return element(np.log(_complex_where(_negative, x)) / np.log(_complex_where(_negative, n)))


@register(np.lib.scimath.power)
def power(x, p):
    """Powers, complex ones of negative numbers."""
    exponent = as_array(p)
    if exponent.dtype.kind in "iub" and np.any(plain_of(exponent) < 0):
        exponent = exponent.astype(np.float64)
    return element(np.power(_complex_where(_negative, x), exponent))
