"""Functions of arrays, real or complex, against differences of what plain NumPy and SciPy compute.

The gradient is compared with central differences of sixth order of the plain function; each higher derivative with
differences of the one below, which has been compared by then.
"""

import numpy as np

import dualtape as dt
from arrays.random_programs import close, difference_gradient, pieces, primal, weights

STEP = 1e-3
TERMS = ((1, 3 / 4), (2, -3 / 20), (3, 1 / 60))


def real_total(f):
    """F as one real number that depends on every part of every entry of its results."""

    def total(x):
        out = 0.0
        for k, y in enumerate(pieces(f(x))):
            out = out + np.sum(weights(np.shape(y), k) * np.sin(np.real(y)))
            if np.iscomplexobj(primal(y)):
                out = out + np.sum(weights(np.shape(y), k + 10) * np.sin(np.imag(y)))
        return out

    return total


def along(g, x, v, h=STEP):
    """The derivative of g at x along v, by differences of sixth order."""
    return sum(c * (g(x + k * h * v) - g(x - k * h * v)) for k, c in TERMS) / h


def direction(x, seed=5):
    """A direction for derivatives at x."""
    v = weights(x.shape, seed)
    return v + 1j * weights(x.shape, seed + 1) if np.iscomplexobj(x) else v


def inner(a, b):
    """The real inner product in which gradients of functions of complex numbers are meant."""
    return np.sum((np.conjugate(a) * b).real)


def agree(f, x, rtol=1e-8, order=3, reference=None, plain=None, exact=True):
    """Compare value, dtype, gradient, slope, Hessian and third derivative of f at x.

    Parameters
    ----------
    f : callable
        Gives arrays or numbers.
    x : ndarray
    rtol : float
        Of the gradient; each further order is compared less closely.
    order : int
        The highest order to compare.
    reference : callable, optional
        What stands for f in differences.
    plain : callable, optional
        What stands for f at plain arrays, where values are compared.
    exact : bool
        Whether values must agree to the last digits.
    """
    before, v = x.copy(), direction(x)
    scalar, model = real_total(f), real_total(reference or f)
    expected = pieces((plain or f)(x.copy()))
    for values in (dt.pullback(f, x)[0], dt.pushforward(f, x, v)[0]):
        for found, wanted in zip(pieces(values), expected, strict=True):
            assert np.asarray(primal(found)).dtype == np.asarray(wanted).dtype
            close(np.asarray(primal(found)), np.asarray(wanted), 1e-14 if exact else 1e-11, "value")
    wanted = difference_gradient(model, x, STEP)
    gradient = dt.gradient(scalar, x)
    assert gradient.dtype == x.dtype
    close(gradient, wanted, rtol, "reverse")
    close(dt.pushforward(scalar, x, v)[1], inner(wanted, v), rtol, "forward")
    if order >= 2:
        hvp = lambda y: dt.pushforward(lambda y: dt.gradient(scalar, y), y, v)[1]
        wanted = along(lambda y: dt.gradient(scalar, y), x, v)
        close(hvp(x), wanted, 10 * rtol, "forward over reverse")
        slope = lambda y: dt.pushforward(scalar, y, v)[1]
        close(dt.gradient(slope, x), wanted, 10 * rtol, "reverse over forward")
        turned = lambda y: np.sum((np.conjugate(v) * dt.gradient(scalar, y)).real)
        close(dt.gradient(turned, x), wanted, 10 * rtol, "reverse over reverse")
        close(dt.pushforward(slope, x, v)[1], inner(wanted, v), 10 * rtol, "forward over forward")
    if order >= 3:
        wanted = along(hvp, x, v)
        close(dt.pushforward(hvp, x, v)[1], wanted, 100 * rtol, "third: forward")
        twice = lambda y: dt.pushforward(lambda z: dt.pushforward(scalar, z, v)[1], y, v)[1]
        close(dt.gradient(twice, x), wanted, 100 * rtol, "third: reverse")
    np.testing.assert_array_equal(x, before, err_msg="the caller's array was changed")
