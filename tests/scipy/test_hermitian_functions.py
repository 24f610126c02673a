"""dualtape.scipy.linalg.funm against other functions of matrices, where eigenvalues are repeated, near, and apart."""

import mpmath
import numpy as np
import pytest
import scipy.linalg

import dualtape as dt
from arrays.differences import agree
from arrays.random_programs import close, weights
from dualtape.errors import ConversionError, NoRuleError
from dualtape.scipy import linalg
from dualtape.scipy.hermitian_functions import divided_differences

Q = np.linalg.qr(weights((4, 4), 1) + np.eye(4))[0]
U = np.linalg.qr(weights((4, 4), 1) + 1j * weights((4, 4), 2) + np.eye(4))[0]


def hermitian(x):
    return (x + np.conjugate(x).T) / 2


MATRICES = {
    "identity": np.eye(4),
    "blocks": np.diag([1.0, 1.0, 3.0, 3.0]),
    "turned": hermitian(Q @ np.diag([1.0, 1.0, 1.0, 4.0]) @ Q.T),
    "complex": hermitian(U @ np.diag([1.0, 1.0, 1.0, 4.0]) @ np.conjugate(U.T)),
    "near": np.diag([1.0, 1.0 + 1e-9, 1.0 + 1e-5, 2.0]),
    "apart": hermitian(Q @ np.diag([1.0, 2.0, 3.0, 4.0]) @ Q.T),
}
FUNCTIONS = {
    "exp": (np.exp, scipy.linalg.expm),
    "sqrt": (np.sqrt, scipy.linalg.sqrtm),
    "1 / w": (lambda w: 1 / w, np.linalg.inv),
    "cubes": (lambda w: w**3 - w, lambda x: x @ x @ x - x),
}


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_mode(name, matrix):
    f, other = FUNCTIONS[name]
    agree(
        lambda x: linalg.funm(hermitian(x), f), MATRICES[matrix], plain=lambda x: scipy.linalg.funm(hermitian(x), f),
        reference=lambda x: other(hermitian(x)), rtol=1e-7, exact=False,
    )  # fmt: skip


def test_at_zeros():
    e = weights((3, 3), 1)
    close(dt.pushforward(lambda x: linalg.funm(x, np.sin), np.zeros((3, 3)), e)[1], e, 1e-15)
    f = lambda x: linalg.funm(x, lambda w: w**2)
    close(dt.pushforward(lambda x: dt.pushforward(f, x, e)[1], np.zeros((3, 3)), e)[1], 2 * e @ e, 1e-14)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_divided_differences(order):
    w = np.array([0.5, 0.5, 0.5 + 1e-7, 0.55, 2.0])
    found = divided_differences(np.log, w, order)
    with mpmath.workdps(120):
        # equal points moved apart
        points = [mpmath.mpf(float(c)) + mpmath.mpf(10) ** -25 * k for k, c in enumerate(w)]
        for place in np.ndindex(found.shape):
            at = [points[i] + mpmath.mpf(10) ** -22 * k for k, i in enumerate(place)]
            table = [mpmath.log(p) for p in at]
            for k in range(1, len(at)):
                table = [(b - a) / (at[i + k] - at[i]) for i, (a, b) in enumerate(zip(table, table[1:]))]
            close(found[place], float(table[0]), 1e-11, place)


def test_precision_and_disp():
    x = np.diag([1.0, 1.0, 3.0]).astype(np.float32)
    gradient = dt.gradient(lambda x: np.sum(linalg.funm(x, np.exp)), x)
    assert gradient.dtype == np.float32
    np.testing.assert_allclose(gradient[0, 1], np.e, rtol=1e-6)
    value, error = dt.pullback(lambda x: linalg.funm(x, np.exp, disp=False), x.astype(float))[0]
    np.testing.assert_array_equal(value, scipy.linalg.funm(x.astype(float), np.exp))
    assert error == scipy.linalg.funm(x.astype(float), np.exp, disp=False)[1]


def test_what_has_no_rule():
    x = np.triu(np.ones((3, 3)))
    for y in (x, np.stack([np.eye(3)] * 2)):
        with pytest.raises(NoRuleError):
            dt.gradient(lambda y: np.sum(linalg.funm(y, np.exp)), y)
    for f in (lambda c: linalg.funm(np.eye(3), lambda w: w * c), lambda c: linalg.funm(c * np.eye(3), lambda w: w * c)):
        for differentiate in (dt.gradient, dt.derivative):
            with pytest.raises(ConversionError, match="stop_gradient"):
                differentiate(lambda c, f=f: np.sum(f(c)), 0.5)
