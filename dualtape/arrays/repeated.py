"""Repeated eigenvalues and singular values: which are equal, and the warning where derivatives lack a part.

The vectors of equal values are any basis of a space. A program that does not care which has a derivative, and rules for
vectors and values give it, except for a part that neither knows: of f(A) = V f(w) V^H it is f'(w_i) B_ij for i != j in
a space, where B = V^H dA V; rules for w see f' beside B_ii alone, and those for V see f alone. In general the part
is B_ij times the second derivative of the program by w_j and by the turn of V in the plane of i and j, which no
first-order rule knows. It is none where the program reads only the values, or only the vectors. So a sweep notes which
of both it comes from. A program that cares which basis has no derivative: there the turn has an adjoint.
"""

import numpy as np

from dualtape.arrays.apply import apply
from dualtape.core.array import Array
from dualtape.core.values import level_of, plain_of, primal_at, tangents_at, tape_of
from dualtape.errors import lost_derivative, user_line

__all__ = ["Watch", "equal_pairs", "same_for_equal"]


def equal_pairs(w):
    """Where pairs of values are equal up to the rounding of the largest, each pair of a value with itself included."""
    w = plain_of(w)
    gap = np.abs(w[..., None, :] - w[..., :, None])
    largest = np.max(np.abs(w), axis=-1, initial=0.0)[..., None, None]
    same = gap <= 8 * max(w.shape[-1], 1) * np.finfo(gap.dtype).eps * largest
    return same | np.eye(w.shape[-1], dtype=bool)


def _pairs(w):
    """Equal pairs of different values."""
    return equal_pairs(w) & ~np.eye(w.shape[-1], dtype=bool)


def same_for_equal(bar, w):
    """Whether the adjoints of values are constants, the same for equal values: then no part is lost by them."""
    while level := level_of(bar):
        if tape_of(bar) is not None:
            return False
        if any(level_of(t) or np.any(plain_of(t)) for t in tangents_at(level, bar) if t is not None):
            return False
        bar = primal_at(level, bar)
    bar = np.broadcast_to(plain_of(bar), plain_of(w).shape)
    return bool(np.all((bar[..., None, :] == bar[..., :, None]) | ~equal_pairs(w)))


def _largest(x):
    return np.max(np.abs(x), axis=(-2, -1), initial=0.0, keepdims=True)


class Watch:
    """One call of a decomposition: what of its results is used, and whether that loses a part of the derivative.

    Parameters
    ----------
    function : str
        As users call it.
    quiet : bool
        Whether the caller knows that nothing is lost.
    inner : bool
        Whether the caller is a rule for the values, so that the program reads these.
    """

    def __init__(self, function, quiet=False, inner=False):
        self.function, self.quiet, self.inner = function, quiet, inner
        self.line = None
        self.reached = set()  # and not forgotten after a sweep: several may run together

    def results(self, parts, w):
        """The results, of which a sweep notes which ones it comes from."""
        if self.quiet or not any(isinstance(p, Array) for p in parts) or not np.any(_pairs(w)):
            return parts
        self.line = user_line()
        return [self._noted(p, p is w) for p in parts]

    def _noted(self, x, is_values):
        def vjp(k, bar, out, x):
            self.reached.add("values" if is_values else "vectors")
            return bar

        value = lambda x: self._noted(x, is_values) if isinstance(x, Array) else x.copy()
        return apply(value, (x,), lambda k, t, out, x: t, vjp, reads=())

    def tangents(self, w, turns):
        """Warn where vectors of equal values are to turn within their space.

        Parameters
        ----------
        w : array, shape (..., n)
            The values.
        turns : callable
            ``turns()``: plain arrays (..., n, n) to which the turns are proportional.
        """
        if self.quiet or not np.any(pairs := _pairs(w)):
            return
        for b in turns():
            large = np.abs(b) > self._rounding(b) * _largest(b)
            if np.any(pairs & large):
                lost_derivative(self.function, self.line)
                return

    def adjoints(self, w, wbar, vectors, turns):
        """Warn where adjoints of vectors of equal values lack a part, or where the basis matters.

        Parameters
        ----------
        w, wbar : arrays, shape (..., n)
            The values and their adjoints.
        vectors : sequence of arrays, shape (..., m, n)
            Adjoints of the vectors.
        turns : callable
            ``turns()``: for each turn within a space, two plain arrays (..., n, n) whose elements belong to pairs of
            vectors. The first is the adjoint of the turn, which is zero where the basis does not matter. The second is
            zero where no part is lost; None where that is not known.
        """
        if self.quiet or not np.any(pairs := _pairs(w)):
            return
        bars = [plain_of(b) for b in vectors]
        wbar = plain_of(wbar)
        if "vectors" not in self.reached and not any(np.any(b) for b in bars):
            return
        size = np.maximum.reduce([_largest(b) for b in bars])
        columns = np.maximum.reduce([np.max(np.abs(b), axis=-2, initial=0.0) for b in bars])[..., None, :]
        dark = columns <= self._rounding(columns) * size
        unused = (columns == 0) & (wbar == 0)[..., None, :] & (size > 0)
        values_too = self.inner or "values" in self.reached or np.any(wbar)
        lost = np.zeros(pairs.shape, bool)
        for turn, mixed in turns():
            lost |= np.abs(turn) > self._rounding(turn) * size
            if values_too:
                lost |= np.True_ if mixed is None else np.abs(mixed) > self._rounding(mixed) * size
        if values_too:
            # f may be 0 at the value and f' not. But what has no adjoint beside others that have is rather not used.
            lost |= dark & np.swapaxes(dark, -1, -2)
            lost &= ~(unused & np.swapaxes(unused, -1, -2))
        if np.any(pairs & lost):
            lost_derivative(self.function, self.line)

    @staticmethod
    def _rounding(x):
        return 100 * max(x.shape[-1], 1) * np.finfo(x.dtype).eps
