"""The warning where derivatives through vectors of repeated eigenvalues or singular values may lack a part.

Rules for the vectors leave out turns within the space of equal values. See `dualtape.arrays.repeated` for what is lost.
That values are equal is one bit that goes to the host, and so is whether a turn matters.
"""

from dualtape.boxed.array import plain
from dualtape.boxed.backends import namespace_of, precision_of
from dualtape.errors import lost_derivative

__all__ = ["warn_of_equal"]


def warn_of_equal(function, values, turn, line):
    """Warn where vectors of equal values are to turn within their space.

    Parameters
    ----------
    function : str
        The decomposition, as users call it.
    values : array, shape (..., n)
    turn : array, shape (..., n, n)
        The turns, or their adjoints.
    line : str
        Where it was called.
    """
    w, turn = plain(values), plain(turn)
    xp = namespace_of(w)
    n = w.shape[-1]
    if n < 2 or w.size == 0:
        return
    scale = xp.max(abs(w), axis=-1)[..., None, None] * (8.0 * n * precision_of(w))
    others = ~xp.astype(xp.eye(n, dtype=w.dtype, device=w.device), xp.bool)
    equal = (abs(w[..., None, :] - w[..., :, None]) <= scale) & others
    if not bool(xp.any(equal)):
        return
    size = abs(turn)
    if bool(xp.any(equal & (size > 1e3 * n * precision_of(w) * xp.max(size, axis=(-2, -1), keepdims=True)))):
        lost_derivative(function, line)
