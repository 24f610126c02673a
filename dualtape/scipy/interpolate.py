"""`scipy.interpolate`: linear, cubic-spline and PCHIP interpolants, differentiable in points and data."""

import math

import numpy as np
import scipy.interpolate
import scipy.linalg

from dualtape.arrays.apply import apply_linear, with_value
from dualtape.arrays.protocol import no_rule
from dualtape.arrays.reductions import as_array
from dualtape.core.array import Array
from dualtape.core.values import level_of, plain_of
from dualtape.scipy.dispatch import is_traced

__all__ = ["CubicHermiteSpline", "CubicSpline", "PchipInterpolator", "interp1d"]


def __getattr__(name):
    return getattr(scipy.interpolate, name)


def _number(x):
    return x[()] if isinstance(x, Array) and x.ndim == 0 else x


def _along(x, ndim):
    """A vector as a column of arrays of that many dimensions."""
    return np.reshape(x, (-1,) + (1,) * (ndim - 1))


class Piecewise:
    """A piecewise polynomial of traced coefficients, as `scipy.interpolate.PPoly` is one of plain ones.

    Attributes
    ----------
    c : Array, shape (order + 1, intervals, ...)
        Coefficients of powers of the distance from the left end of an interval, the highest first.
    x : ndarray or Array, shape (intervals + 1,)
        Where the intervals end.
    axis : int
        The axis of the interpolated values.
    extrapolate : bool or "periodic"
    """

    def __init__(self, c, x, extrapolate=True, axis=0):
        self.c, self.x, self.extrapolate, self.axis = c, x, extrapolate, axis

    def __call__(self, x, nu=0, extrapolate=None):
        """The polynomial, or its derivative of order `nu`, at points."""
        extrapolate = self.extrapolate if extrapolate is None else extrapolate
        points, ends = as_array(x), plain_of(self.x)
        if points.dtype.kind not in "fc":
            points = points.astype(float)
        if extrapolate == "periodic":
            width = self.x[-1] - self.x[0]
            points = points - width * np.floor(plain_of((points - self.x[0]) / width))
        plain = plain_of(points)
        place = np.clip(np.searchsorted(ends, plain, side="right") - 1, 0, len(ends) - 2)
        rest = self.c.ndim - 2
        distance = np.reshape(points - self.x[place], plain.shape + (1,) * rest)
        out = None
        for k, factor in enumerate(_factors(self.c.shape[0] - 1, nu)):
            term = self.c[k][place] * factor
            out = term if out is None else out * distance + term
        if out is None:
            out = np.zeros((*plain.shape, *self.c.shape[2:]))
        if extrapolate is False:
            outside = (plain < ends[0]) | (plain > ends[-1]) | np.isnan(plain)
            out = np.where(np.reshape(outside, plain.shape + (1,) * rest), np.nan, out)
        if self.axis:
            order = [plain.ndim + k for k in range(self.axis)]
            out = np.transpose(out, order + list(range(plain.ndim)) + list(range(plain.ndim + self.axis, out.ndim)))
        return _number(out)

    def derivative(self, nu=1):
        """The derivative as a piecewise polynomial."""
        factors = np.array(_factors(self.c.shape[0] - 1, nu), float)
        if not len(factors):
            return Piecewise(np.zeros((1, *self.c.shape[1:])), self.x, self.extrapolate, self.axis)
        c = self.c[: len(factors)] * _along(factors, self.c.ndim)
        return Piecewise(c, self.x, self.extrapolate, self.axis)

    def antiderivative(self, nu=1):
        """The integral from the first end on as a piecewise polynomial."""
        if nu <= 0:
            return self if nu == 0 else self.derivative(-nu)
        powers = np.arange(self.c.shape[0], 0, -1.0)
        c = self.c / _along(powers, self.c.ndim)
        whole = np.sum(c * _along(self.x[1:] - self.x[:-1], self.c.ndim - 1) ** _along(powers, self.c.ndim), axis=0)
        before = np.concatenate([np.zeros((1, 1, *c.shape[2:])), np.cumsum(whole, axis=0)[None, :-1]], axis=1)
        extrapolate = False if self.extrapolate == "periodic" else self.extrapolate
        return Piecewise(np.concatenate([c, before]), self.x, extrapolate, self.axis).antiderivative(nu - 1)

    def integrate(self, a, b, extrapolate=None):
        """The integral from a to b."""
        extrapolate = self.extrapolate if extrapolate is None else extrapolate
        if extrapolate == "periodic":
            raise no_rule("scipy.interpolate.PPoly.integrate of periodic functions")
        whole = self.antiderivative()
        return whole(b, extrapolate=extrapolate) - whole(a, extrapolate=extrapolate)

    def __getattr__(self, name):
        if hasattr(scipy.interpolate.PPoly, name):
            raise no_rule(f"scipy.interpolate.PPoly.{name}")
        raise AttributeError(name)


def _factors(degree, nu):
    """What the coefficients are multiplied by in the derivative of an order, the highest power first."""
    out = []
    for power in range(degree, nu - 1, -1):
        factor = 1.0
        for k in range(nu):
            factor *= power - k
        out.append(factor)
    return out


class _Evaluated:
    """An interpolant of SciPy's with plain data, at traced points."""

    def __init__(self, own):
        self._own = own
        self._piecewise = Piecewise(own.c, own.x, own.extrapolate, own.axis)

    def __call__(self, x, nu=0, extrapolate=None):
        if is_traced(x):
            return self._piecewise(x, nu, extrapolate)
        return self._own(x, nu, extrapolate)

    def derivative(self, nu=1):
        """The derivative as an interpolant."""
        return _Evaluated(self._own.derivative(nu))

    def antiderivative(self, nu=1):
        """The integral from the first end on as an interpolant."""
        return _Evaluated(self._own.antiderivative(nu))

    def integrate(self, a, b, extrapolate=None):
        """The integral from a to b."""
        if is_traced([a, b]):
            return self._piecewise.integrate(a, b, extrapolate)
        return self._own.integrate(a, b, extrapolate)

    def __getattr__(self, name):
        return getattr(self._own, name)


def _data(x, y, axis):
    """The data with the interpolated axis first; errors are SciPy's."""
    x, y = as_array(x), as_array(y)
    scipy.interpolate.CubicHermiteSpline(plain_of(x), plain_of(y), np.zeros(y.shape), axis)
    return x, np.moveaxis(y, axis, 0), axis % y.ndim


def _hermite(x, y, slopes, extrapolate, axis):
    """The cubic pieces with values and slopes at their ends."""
    dx = _along(x[1:] - x[:-1], y.ndim)
    chord = (y[1:] - y[:-1]) / dx
    t = (slopes[:-1] + slopes[1:] - 2.0 * chord) / dx
    c = np.stack([t / dx, (chord - slopes[:-1]) / dx - t, slopes[:-1] + 0.0 * chord, y[:-1] + 0.0 * chord])
    return Piecewise(c, x, extrapolate, axis)


def CubicHermiteSpline(x, y, dydx, axis=0, extrapolate=None):
    """`scipy.interpolate.CubicHermiteSpline`."""
    if not is_traced([x, y, dydx]):
        return _Evaluated(scipy.interpolate.CubicHermiteSpline(x, y, dydx, axis, extrapolate))
    slopes = as_array(dydx)
    scipy.interpolate.CubicHermiteSpline(plain_of(as_array(x)), plain_of(as_array(y)), plain_of(slopes), axis)
    x, y, place = _data(x, y, axis)
    return _hermite(x, y, np.moveaxis(slopes, axis, 0), True if extrapolate is None else extrapolate, place)


# --- PCHIP ---------------------------------------------------------------------------------------------------------


def PchipInterpolator(x, y, axis=0, extrapolate=None):
    """`scipy.interpolate.PchipInterpolator` (Fritsch and Butland 1984)."""
    if not is_traced([x, y]):
        return _Evaluated(scipy.interpolate.PchipInterpolator(x, y, axis, extrapolate))
    x, y, axis = _data(x, y, axis)
    h = _along(x[1:] - x[:-1], y.ndim)
    m = (y[1:] - y[:-1]) / h
    if y.shape[0] == 2:
        slopes = np.concatenate([m, m])
    else:
        flat = plain_of(m)
        turns = (np.sign(flat[1:]) != np.sign(flat[:-1])) | (flat[1:] == 0) | (flat[:-1] == 0)
        left, right = 2.0 * h[1:] + h[:-1], h[1:] + 2.0 * h[:-1]
        safe = [np.where(turns, 1.0, p) for p in (m[:-1], m[1:])]
        inside = np.where(turns, 0.0, (left + right) / (left / safe[0] + right / safe[1]))
        slopes = np.concatenate(
            [_edge(h[:1], h[1:2], m[:1], m[1:2]), inside, _edge(h[-1:], h[-2:-1], m[-1:], m[-2:-1])]
        )
    return _hermite(x, y, slopes, True if extrapolate is None else extrapolate, axis)


def _edge(h0, h1, m0, m1):
    """The slope at an end: of a parabola, as far as the shape allows."""
    d = ((2.0 * h0 + h1) * m0 - h0 * m1) / (h0 + h1)
    flat, first, second = plain_of(d), plain_of(m0), plain_of(m1)
    other = np.sign(flat) != np.sign(first)
    steep = ~other & (np.sign(first) != np.sign(second)) & (np.abs(flat) > 3.0 * np.abs(first))
    return np.where(other, 0.0, np.where(steep, 3.0 * m0, d))


# --- cubic splines -------------------------------------------------------------------------------------------------


def CubicSpline(x, y, axis=0, bc_type="not-a-knot", extrapolate=None):
    """`scipy.interpolate.CubicSpline`, with every `bc_type`; values at the ends may be traced."""
    if not is_traced([x, y, bc_type]):
        return _Evaluated(scipy.interpolate.CubicSpline(x, y, axis, bc_type, extrapolate))
    x, y, axis = _data(x, y, axis)
    plain_ends = _plain_ends(bc_type)
    scipy.interpolate.CubicSpline(plain_of(x), plain_of(y), 0, plain_ends)  # raises SciPy's errors
    periodic = isinstance(bc_type, str) and bc_type == "periodic"
    if extrapolate is None:
        extrapolate = "periodic" if periodic else True
    slopes = _periodic_slopes(x, y) if periodic else _slopes(x, y, *_ends(bc_type))
    return _hermite(x, y, slopes, extrapolate, axis)


def _plain_ends(bc_type):
    if isinstance(bc_type, str):
        return bc_type
    return tuple(end if isinstance(end, str) else (end[0], _plain_value(end[1])) for end in bc_type)


def _plain_value(value):
    return plain_of(as_array(value))


def _ends(bc_type):
    """For each end the order of the given derivative, 0 for not-a-knot, and its value."""
    known = {"not-a-knot": (0, 0.0), "clamped": (1, 0.0), "natural": (2, 0.0)}
    ends = (bc_type, bc_type) if isinstance(bc_type, str) else bc_type
    return [known[end] if isinstance(end, str) else (end[0], end[1]) for end in ends]


def _slopes(x, y, start, end):
    """The slopes at the data: a tridiagonal system, by the continuity of the second derivative."""
    n = y.shape[0]
    dx = x[1:] - x[:-1]
    h = _along(dx, y.ndim)
    chord = (y[1:] - y[:-1]) / h
    if n == 2:  # not-a-knot at an end of two points asks for the slope of the chord there
        start, end = ((1, chord[0]) if order == 0 else (order, value) for order, value in (start, end))
    elif n == 3 and start[0] == end[0] == 0:
        return _parabola(dx, h, chord)
    zero = dx[:1] * 0.0
    before = [dx[1:]] if n > 2 else []  # of the rows 1 to n - 2
    after = [dx[:-1]] if n > 2 else []
    middle = [2.0 * (dx[:-1] + dx[1:])] if n > 2 else []
    right = [3.0 * (h[1:] * chord[:-1] + h[:-1] * chord[1:])] if n > 2 else []
    shape = (1, *y.shape[1:])

    def given(value):
        return np.broadcast_to(np.reshape(as_array(value), (1, *np.shape(plain_of(as_array(value))))), shape)

    order, value = start
    if order == 0:
        d = dx[:1] + dx[1:2]
        e = _along(d, y.ndim)
        first = dx[1:2], d, ((h[:1] + 2.0 * e) * h[1:2] * chord[:1] + h[:1] ** 2 * chord[1:2]) / e
    elif order == 1:
        first = zero + 1.0, zero, given(value) + 0.0 * chord[:1]
    else:
        first = 2.0 * dx[:1], dx[:1], 3.0 * (y[1:2] - y[:1]) - 0.5 * given(value) * h[:1] ** 2
    order, value = end
    if order == 0:
        d = dx[-2:-1] + dx[-1:]
        e = _along(d, y.ndim)
        last = dx[-2:-1], d, (h[-1:] ** 2 * chord[-2:-1] + (2.0 * e + h[-1:]) * h[-2:-1] * chord[-1:]) / e
    elif order == 1:
        last = zero + 1.0, zero, given(value) + 0.0 * chord[:1]
    else:
        last = 2.0 * dx[-1:], dx[-1:], 3.0 * (y[-1:] - y[-2:-1]) + 0.5 * given(value) * h[-1:] ** 2
    lower = np.concatenate([*before, last[1]])
    diagonal = np.concatenate([first[0], *middle, last[0]])
    upper = np.concatenate([first[1], *after])
    return _tridiagonal(lower, diagonal, upper, np.concatenate([first[2], *right, last[2]]))


def _parabola(dx, h, chord):
    """Three points without conditions at the ends lie on one parabola."""
    bend = (chord[1] - chord[0]) / (h[0] + h[1])
    s = [chord[0] - bend * h[0], chord[0] + bend * h[0], chord[1] + bend * h[1]]
    return np.stack([as_array(p) for p in s])


def _periodic_slopes(x, y):
    n = y.shape[0] - 1
    dx = x[1:] - x[:-1]
    h = _along(dx, y.ndim)
    chord = (y[1:] - y[:-1]) / h
    if n == 1:
        return np.concatenate([chord, chord]) * 0.0
    if n == 2:
        s = np.sum(chord / h, axis=0, keepdims=True) / np.sum(1.0 / h, axis=0, keepdims=True)
        return np.concatenate([s, s, s])
    back = np.arange(n) - 1
    one = np.eye(n)
    matrix = (
        _along(dx, 2) * one[back] + _along(2.0 * (dx[back] + dx), 2) * one + _along(dx[back], 2) * one[back + 2 - n]
    )
    right = 3.0 * (h * chord[back] + h[back] * chord)
    s = np.reshape(np.linalg.solve(matrix, np.reshape(right, (n, -1))), right.shape)
    return np.concatenate([s, s[:1]])


def _tridiagonal(lower, diagonal, upper, right):
    flat = np.reshape(right, (right.shape[0], -1))
    if level_of(diagonal):
        n = diagonal.shape[0]
        one = np.eye(n)
        matrix = _along(diagonal, 2) * one
        matrix = matrix + np.concatenate([np.zeros((1, n)), _along(lower, 2) * one[:-1]])
        matrix = matrix + np.concatenate([_along(upper, 2) * one[1:], np.zeros((1, n))])
        return np.reshape(np.linalg.solve(matrix, flat), right.shape)
    parts = [plain_of(p) for p in (lower, diagonal, upper)]
    return np.reshape(_banded(*parts, flat), right.shape)


def _banded(lower, diagonal, upper, right):
    """The solution of a plain tridiagonal system."""
    bands = np.zeros((3, len(diagonal)))
    bands[0, 1:], bands[1], bands[2, :-1] = upper, diagonal, lower
    return apply_linear(
        lambda b: (
            _banded(lower, diagonal, upper, b) if isinstance(b, Array) else scipy.linalg.solve_banded((1, 1), bands, b)
        ),
        (right,),
        lambda bar, wanted: (_banded(upper, diagonal, lower, bar),),
    )


# --- lines, steps and splines --------------------------------------------------------------------------------------

_STEPS = ("nearest", "nearest-up", "previous", "next", "zero", 0)
_ORDERS = {"slinear": 1, "quadratic": 2, "cubic": 3}


class interp1d:
    """`scipy.interpolate.interp1d` of every kind; plain data and points go to SciPy.

    Traced positions `x` of the data are for all kinds but splines of order 2, and of orders above 3.
    """

    def __init__(
        self, x, y, kind="linear", axis=-1, copy=True, bounds_error=None, fill_value=np.nan, assume_sorted=False
    ):
        plain = [plain_of(as_array(p)) for p in (x, y)]
        fill = fill_value if isinstance(fill_value, str) else _plain_fill(fill_value)
        self._own = scipy.interpolate.interp1d(*plain, kind, axis, copy, bounds_error, fill, assume_sorted)
        self._traced = is_traced([x, y, fill_value])
        x, y = as_array(x), np.moveaxis(as_array(y), axis, 0)
        order = np.arange(x.shape[0]) if assume_sorted else np.argsort(plain[0], kind="mergesort")
        self.x, self.y, self.axis = x[order], y[order], axis % y.ndim
        self._kind = kind
        self._extrapolate = isinstance(fill_value, str)
        self._fill = fill_value if isinstance(fill_value, tuple) else (fill_value, fill_value)
        if kind in _STEPS:
            steps = np.arange(len(plain[0]))
            self._curve = scipy.interpolate.interp1d(plain_of(self.x), steps, kind, fill_value="extrapolate")
        elif kind not in ("linear", 1):
            self._curve = _spline(self.x, self.y, _ORDERS.get(kind, kind))

    def __call__(self, x):
        """The interpolant at points."""
        if not self._traced and not is_traced(x):
            return self._own(x)
        points = as_array(x)
        if points.dtype.kind not in "fc":
            points = points.astype(float)
        plain, ends = plain_of(points), plain_of(self.x)
        value = self._own(plain)  # raises SciPy's errors
        below, above = plain < ends[0], plain > ends[-1]
        rest = self.y.ndim - 1

        def spread(p):
            return np.reshape(p, plain.shape + (1,) * rest)

        if self._kind in _STEPS:
            place = self._curve(plain)
            lost = np.isnan(place)
            out = np.where(spread(lost), np.nan, self.y[np.where(lost, 0, place).astype(int)])
        elif self._kind in ("linear", 1):
            high = np.clip(np.searchsorted(ends, plain), 1, len(ends) - 1)
            x0, y0 = self.x[high - 1], self.y[high - 1]
            slope = (self.y[high] - y0) / spread(self.x[high] - x0)
            out = slope * spread(points - x0) + y0
        else:
            out = as_array(self._curve(points))
        if not self._extrapolate:
            for mask, fill in zip((below, above), self._fill, strict=True):
                out = np.where(spread(mask), as_array(fill), out) if np.any(mask) else out
        if self.axis:
            order = [plain.ndim + k for k in range(self.axis)]
            out = np.transpose(out, order + list(range(plain.ndim)) + list(range(plain.ndim + self.axis, out.ndim)))
        return _number(with_value(as_array(out), value))


def _spline(x, y, order):
    """The spline of an order whose knots SciPy places, as a piecewise polynomial."""
    if order == 3:
        return CubicSpline(x, y) if is_traced([x, y]) else Piecewise(*_pieces(x, y, order))
    if order == 1 or not is_traced(x):
        return Piecewise(*_pieces(x, y, order))
    raise no_rule(f"scipy.interpolate.interp1d of order {order} by the positions of its data")


def _pieces(x, y, order):
    """Coefficients and ends of the pieces: linear in the data."""
    if order == 1:
        slope = (y[1:] - y[:-1]) / _along(x[1:] - x[:-1], y.ndim)
        return np.stack([slope, y[:-1] + 0.0 * slope]), x
    x = plain_of(x)
    unit = scipy.interpolate.make_interp_spline(x, np.eye(len(x)), order)
    ends = np.unique(unit.t)
    powers = [unit(ends[:-1], nu) / math.factorial(nu) for nu in range(order, -1, -1)]
    return np.tensordot(np.stack(powers), y, axes=1), ends


def _plain_fill(fill):
    return tuple(map(_plain_value, fill)) if isinstance(fill, tuple) else _plain_value(fill)
