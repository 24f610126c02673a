"""dualtape.scipy.special: the functions that are no ufuncs, against differences and mpmath."""

import mpmath
import numpy as np
import pytest
import scipy.special

import dualtape as dt
from arrays.differences import agree
from arrays.random_programs import close, weights
from dualtape.errors import NoRuleError
from dualtape.scipy import special

X = 2.0 * weights((2, 3), 0.3)
W = np.array([[1.0, 0.5, 2.0], [0.3, 1.5, 0.0]])
SIGNED = np.array([[1.0, -0.5, 2.0], [-3.0, 1.5, 0.2]])

CASES = {
    "logsumexp": (lambda x, m: m.logsumexp(x), X),
    "logsumexp axis": (lambda x, m: m.logsumexp(x, axis=1), X),
    "logsumexp axes": (lambda x, m: m.logsumexp(x, axis=(0, 1)), X),
    "logsumexp keepdims": (lambda x, m: m.logsumexp(x, axis=0, keepdims=True), X),
    "logsumexp keepdims of all": (lambda x, m: m.logsumexp(x, keepdims=True), X),
    "logsumexp b": (lambda x, m: m.logsumexp(x, axis=-1, b=W), X),
    "logsumexp b broadcast": (lambda x, m: m.logsumexp(x, axis=-1, b=W[:1]), X),
    "logsumexp traced b": (lambda x, m: m.logsumexp(W, axis=-1, b=x), X + 2.5),
    "logsumexp traced row of b": (lambda x, m: m.logsumexp(W, axis=0, b=x[:1]), X + 2.5),
    "logsumexp both": (lambda x, m: m.logsumexp(x, axis=0, b=x + 3.0), X),
    "logsumexp signs": (lambda x, m: m.logsumexp(x, axis=1, b=SIGNED, return_sign=True)[0], X),
    "logsumexp signs of b": (lambda x, m: m.logsumexp(X, axis=1, b=x, return_sign=True, keepdims=True)[0], SIGNED),
    "logsumexp large": (lambda x, m: m.logsumexp(x + 800.0), X),
    "logsumexp complex": (lambda x, m: m.logsumexp(x, axis=1), X + 0.4j * weights((2, 3), 2)),
    "logsumexp list": (lambda x, m: m.logsumexp([x[0, 0], 1.0, x[1, 1]]), X),
    "softmax": (lambda x, m: m.softmax(x), X),
    "softmax axis": (lambda x, m: m.softmax(x, axis=1), X),
    "softmax axes": (lambda x, m: m.softmax(x, axis=(0, 1)), X),
    "log_softmax": (lambda x, m: m.log_softmax(x), X),
    "log_softmax axis": (lambda x, m: m.log_softmax(x, axis=0), X),
    "multigammaln": (lambda x, m: m.multigammaln(x, 3), X + 4.0),
    "multigammaln of a number": (lambda x, m: m.multigammaln(x[0, 0], 2), X + 4.0),
    "polygamma": (lambda x, m: m.polygamma(1, x), X + 3.0),
    "polygamma of orders": (lambda x, m: m.polygamma([0, 1, 2], x), X + 3.0),
    "logsumexp of numbers": (lambda x, m: m.logsumexp(x[0, 0]) + m.logsumexp(x[1, 1], keepdims=True), X),
    "softmax of numbers": (lambda x, m: m.softmax(x[0, 0]) + m.log_softmax(x[1, 1]) + x[0, 1], X),
    "logsumexp of a number with b": (lambda x, m: m.logsumexp(x[0, 0], b=2.0), X),
    "gammainc": (lambda x, m: m.gammainc(x[0], x[1]) + m.gammaincc(x[1, :1], x[0]), X + 3.0),
    "gammainc by shape alone": (lambda x, m: m.gammainc(x, [0.5, 2.0, 9.0]), X + 3.0),
    "gammaincc by value alone": (lambda x, m: m.gammaincc(2.0, x), X + 3.0),
    "betainc": (lambda x, m: m.betainc(x[0], x[1], 0.3) + m.betainc(2.0, x[0], x[1] / 7), X + 3.0),
    "betaincc": (lambda x, m: m.betaincc(x[0, 0], x[1, 1], x[0] / 7), X + 3.0),
    "a ufunc": (lambda x, m: m.gammaln(x), X + 3.0),
}


@pytest.mark.parametrize("name", CASES)
def test_every_mode(name):
    f, x = CASES[name]
    agree(lambda x: f(x, special), x, plain=lambda x: f(x, scipy.special), exact="polygamma" not in name)
    np.testing.assert_array_equal(f(x, special), f(x, scipy.special))


def test_polygamma_by_mpmath():
    x = np.array([0.3, 1.7, 5.0])
    for n in (0, 1, 3):
        wanted = np.array([float(mpmath.polygamma(n + 1, c)) for c in x])
        close(dt.gradient(lambda x, n=n: np.sum(special.polygamma(n, x)), x), wanted, 1e-13)
        close(dt.derivative(lambda x, n=n: special.polygamma(n, x))(1.7), wanted[1], 1e-13)


INFINITE = {
    "one is minus infinity": ([-np.inf, 0.0, 0.0], [0.0, 0.5, 0.5]),
    "all are minus infinity": ([-np.inf, -np.inf, -np.inf], [0.0, 0.0, 0.0]),
    "one is infinity": ([np.inf, 0.0, 1.0], [1.0, 0.0, 0.0]),
    "two are infinity": ([np.inf, 0.0, np.inf], [0.5, 0.0, 0.5]),
}


@pytest.mark.parametrize("name", INFINITE)
def test_logsumexp_of_infinities(name):
    x, expected = map(np.array, INFINITE[name])
    with np.errstate(all="ignore"):
        close(dt.gradient(special.logsumexp, x), expected, 1e-15)
        close(dt.jacobian(special.logsumexp, x, mode="forward"), expected, 1e-15)


def test_float32():
    x = X.astype(np.float32)
    for f in (special.softmax, special.log_softmax, lambda x: special.logsumexp(x, axis=1)):
        assert dt.pullback(f, x)[0].dtype == np.float32
        assert dt.gradient(lambda x, f=f: np.sum(f(x) ** 2), x).dtype == np.float32


def test_incomplete_integrals_at_the_ends():
    x = np.array([0.0, -1.0, np.inf, 1.0, np.nan])
    found = dt.pullback(lambda a: special.gammainc(a, x), 2.0)[0]
    np.testing.assert_array_equal(found, scipy.special.gammainc(2.0, x))
    np.testing.assert_array_equal(dt.jacobian(lambda a: special.gammainc(a, x[:3]), np.array([2.0])), np.zeros((3, 1)))
    found = dt.pullback(lambda a: special.betainc(a, 1.0, x), 2.0)[0]
    np.testing.assert_array_equal(found, scipy.special.betainc(2.0, 1.0, x))
    wanted = float(mpmath.diff(lambda a: mpmath.gammainc(a, 0, 3, regularized=True), 2))
    for differentiate in (dt.gradient, dt.derivative):
        np.testing.assert_allclose(differentiate(lambda a: special.gammainc(a, 3.0), 2.0), wanted, rtol=1e-12)


def test_what_has_no_rule():
    for f in (
        lambda x: scipy.special.gammainc(x, 2.0),
        lambda x: special.polygamma(x, 2.0),
        lambda x: special.logsumexp(x * 1j, return_sign=True)[0],
        lambda x: special.zeta(x, 1.0),
    ):
        with pytest.raises(NoRuleError):
            dt.gradient(lambda x, f=f: np.sum(f(x).real), np.array([2.0, 3.0]))
    with pytest.raises(ValueError, match="condition"):
        dt.gradient(lambda x: special.multigammaln(x, 5), 1.0)
