"""Repeated eigenvalues and singular values: what is right, and the warning where a part is lost."""

import warnings

import numpy as np
import pytest

import dualtape as dt
from arrays.differences import inner
from arrays.random_programs import close, weights

la = np.linalg
Q = la.qr(weights((4, 4), 1) + np.eye(4))[0]
U = la.qr(weights((4, 4), 1) + 1j * weights((4, 4), 2) + np.eye(4))[0]
G = weights((4, 4), 3)


def adjoint(x):
    return np.conjugate(np.swapaxes(x, -1, -2))


def hermitian(x):
    return (x + adjoint(x)) / 2


MATRICES = {
    "identity": np.eye(4),
    "blocks": np.diag([1.0, 1.0, 3.0, 3.0]),
    "turned": hermitian(Q @ np.diag([1.0, 1.0, 1.0, 4.0]) @ Q.T),
    "a stack": np.stack([np.eye(4), np.diag([1.0, 2.0, 2.0, 3.0])]),
    "complex": hermitian(U @ np.diag([1.0, 1.0, 1.0, 4.0]) @ adjoint(U)),
    "zeros": np.zeros((4, 4)),
}
APART = hermitian(Q @ np.diag([1.0, 2.0, 3.0, 4.0]) @ Q.T)


def direction(x):
    """A Hermitian direction."""
    e = weights(x.shape, 5)
    return hermitian(e + 1j * weights(x.shape, 6) if np.iscomplexobj(x) else e)


def by_eigh(f):
    def function(x):
        w, v = la.eigh(x)
        return (v * np.expand_dims(f(w), -2)) @ adjoint(v)

    return function


def by_eig(f):
    def function(x):
        w, v = la.eig(x)
        return ((v * np.expand_dims(f(w), -2)) @ la.inv(v)).real

    return function


def by_svd(f):
    def function(x):
        u, s, vh = la.svd(x)
        return (u * np.expand_dims(f(s), -2)) @ vh

    return function


def trace(x):
    return np.sum(np.trace(x, axis1=-2, axis2=-1).real)


def element(x):
    return np.sum(x[..., 0, 1].real)


def mixed(x):
    return np.sum((G * x).real)


def lower(x):
    v = la.eigh(x)[1][..., :1]
    return mixed(v @ adjoint(v))


def last(x):
    w, v = la.eigh(x)
    return mixed((v[..., -1:] * w[..., None, -1:]) @ adjoint(v[..., -1:]))


# Functions that do not see which basis it is, and whose derivative needs nothing that rules cannot know.
RIGHT = {
    "sum of eigvalsh": lambda x: np.sum(la.eigvalsh(x)),
    "squares of eigvalsh": lambda x: np.sum(la.eigvalsh(x) ** 2),
    "sum of eigh": lambda x: np.sum(la.eigh(x)[0]),
    "logarithms": lambda x: np.sum(np.log(la.eigh(x)[0] + 2.0)),
    "trace of exp": lambda x: trace(by_eigh(np.exp)(x)),
    "whole space": lambda x: _whole(x),
    "eigvals": lambda x: np.sum(la.eigvals(x).real ** 2),
    "sum of eig": lambda x: np.sum(la.eig(x)[0].real ** 2),
    "svdvals": lambda x: np.sum(la.svdvals(x + 5 * np.eye(4))),
    "nuclear norm by svd": lambda x: np.sum(la.svd(x + 5 * np.eye(4))[1]),
    "nuclear norm": lambda x: np.sum(la.norm(x + 5 * np.eye(4), "nuc", axis=(-2, -1))),
    "polar factor": lambda x: mixed(_polar(x + 5 * np.eye(4))),
}


def _whole(x):
    v = la.eigh(x)[1]
    return mixed(v @ adjoint(v))


def _polar(x):
    u, _, vh = la.svd(x)
    return u @ vh


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("name", RIGHT)
def test_right_without_a_warning(name, matrix):
    f, x = RIGHT[name], MATRICES[matrix]
    e, h = direction(x), 1e-3
    slope = sum(c * (f(x + k * h * e) - f(x - k * h * e)) for k, c in ((1, 0.75), (2, -0.15), (3, 1 / 60))) / h
    gradient = dt.gradient(f, x)
    assert gradient.dtype == x.dtype and np.all(np.isfinite(gradient))
    close(inner(gradient, e), slope, 1e-9)
    with warnings.catch_warnings():
        if "vals" not in name and name != "nuclear norm":  # forward mode does not know whether vectors are used
            warnings.simplefilter("ignore", dt.LostDerivativeWarning)
        close(dt.pushforward(f, x, e)[1], slope, 1e-9)


def test_projections_without_a_warning():
    x = MATRICES["blocks"]
    for f in (lambda v: v[:, :2] @ v[:, :2].T, lambda v: v[:, 2:] @ v[:, 2:].T):
        gradient = dt.gradient(lambda x, f=f: mixed(f(la.eigh(x)[1])), x)
        e = np.zeros((4, 4))
        e[2, 0] = e[0, 2] = 1.0
        # the space of the first two turns to the third: by first-order perturbation theory 1 / (1 - 3)
        turn = np.where(e != 0, -0.5 if f(np.eye(4))[0, 0] else 0.5, 0.0)
        close(np.sum(gradient * e), np.sum(G * turn), 1e-14)


def test_vectors_of_single_values_beside_repeated_ones():
    # principal components of data with fewer rows than columns: zero is repeated, and not used
    data = weights((2, 4), 7)

    def first(data):
        w, v = la.eigh(data.T @ data)
        return mixed((v[:, -2:] * np.sqrt(w[-2:])) @ v[:, -2:].T)

    e, h = weights((2, 4), 8), 1e-3
    slope = (
        sum(c * (first(data + k * h * e) - first(data - k * h * e)) for k, c in ((1, 0.75), (2, -0.15), (3, 1 / 60)))
        / h
    )
    close(np.sum(dt.gradient(first, data) * e), slope, 1e-9)
    assert np.all(np.isfinite(dt.gradient(last, MATRICES["turned"])))


LOST = {
    "element of exp": (lambda x: element(by_eigh(np.exp)(x)), {}),
    "elements of exp": (lambda x: mixed(by_eigh(np.exp)(x)), {}),
    "element of A": (lambda x: element(by_eigh(lambda w: w)(x)), {}),
    "all of a logarithm that is 0": (lambda x: np.sum(by_eigh(np.log)(x).real), {"zeros"}),
    "vector": (lambda x: element(la.eigh(x)[1]), {}),
    "projection on one of several": (lower, {}),
    "eig": (lambda x: mixed(by_eig(np.exp)(x)), {}),
    "svd": (lambda x: mixed(by_svd(lambda s: s)(x)), {}),
    "cubes by svd": (lambda x: mixed(by_svd(lambda s: s**3)(x)), {}),
    "left vectors": (lambda x: mixed(la.svd(x)[0]), {}),
    "polar factor of zeros": (lambda x: mixed(_polar(0.0 * x)), {}),
}


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("name", LOST)
def test_a_warning_where_a_part_is_lost(name, matrix):
    f, without = LOST[name]
    if matrix in without:
        return
    x = MATRICES[matrix]
    if name != "polar factor of zeros":
        with pytest.warns(dt.LostDerivativeWarning, match=r"test_repeated\.py:\d+: np\.linalg\.(eigh|eig|svd) met"):
            dt.pushforward(f, x, direction(x))
    if name == "projection on one of several" and matrix == "a stack":
        return
    with pytest.warns(dt.LostDerivativeWarning, match=r"test_repeated\.py:\d+: .*funm"):
        dt.gradient(f, x)


@pytest.mark.parametrize("name", [*LOST, *RIGHT])
def test_no_warning_where_values_differ(name):
    f = LOST[name][0] if name in LOST else RIGHT[name]
    if "zeros" in name:
        return
    e = direction(APART)
    close(dt.pushforward(f, APART, e)[1], np.sum(dt.gradient(f, APART) * e), 1e-12)
    dt.hvp(f, APART, e)


SECOND = {
    "eigvalsh": lambda x: np.sum(np.exp(la.eigvalsh(x))),
    "eigvals": lambda x: np.sum(np.exp(la.eigvals(x).real)),
    "svdvals": lambda x: np.sum(la.svdvals(x) ** 2),
    "eigh": lambda x: trace(by_eigh(np.exp)(x)),
}


@pytest.mark.parametrize("name", SECOND)
def test_second_derivatives_by_values_alone(name):
    f, x = SECOND[name], np.diag([2.0, 2.0, 5.0])
    e = direction(x)
    ways = {
        "hvp": lambda: dt.hvp(f, x, e),
        "hessian": lambda: dt.hessian(f, x),
        "forward over reverse": lambda: dt.pushforward(lambda x: dt.gradient(f, x), x, e),
        "reverse over forward": lambda: dt.gradient(lambda x: dt.pushforward(f, x, e)[1], x),
        "reverse over reverse": lambda: dt.gradient(lambda x: np.sum(dt.gradient(f, x) * e), x),
    }
    for way, find in ways.items():
        with warnings.catch_warnings(record=True) as met:
            warnings.simplefilter("always")
            find()
        assert any(w.category is dt.LostDerivativeWarning for w in met), way


def test_second_derivatives_that_are_right():
    x = np.diag([2.0, 2.0, 5.0])
    e = weights((3, 3), 1)
    for f in (lambda x: np.sum(la.eigvalsh(x)), lambda x: np.sum(la.eigvals(x).real)):
        close(dt.hvp(f, x, e), 0 * x, 1e-14)
        close(dt.gradient(lambda x, f=f: np.sum(dt.gradient(f, x) * e), x), 0 * x, 1e-14)
    close(dt.hessian(lambda x: la.slogdet(x)[1], np.eye(2)).reshape(4, 4), -np.eye(4)[[0, 2, 1, 3]], 1e-14)


def test_every_operator_warns():
    f = by_eigh(np.sqrt)
    back = dt.pullback(f, np.eye(3))[1]
    ways = {
        "reverse": lambda: dt.jacobian(f, np.eye(3), mode="reverse"),
        "forward": lambda: dt.jacobian(f, np.eye(3), mode="forward"),
        "auto": lambda: dt.jacobian(f, np.eye(3)),
        "pullback": lambda: back(np.ones((3, 3))),
        "pullback again": lambda: back(np.ones((3, 3))),
        "hvp": lambda: dt.hvp(lambda x: element(f(x)), np.eye(3), np.ones((3, 3))),
        "single precision": lambda: dt.gradient(lambda x: element(f(x)), np.eye(3, dtype=np.float32)),
    }
    for way, find in ways.items():
        with warnings.catch_warnings(record=True) as met:
            warnings.simplefilter("always")
            find()
        assert any(w.category is dt.LostDerivativeWarning for w in met), way


def test_the_polar_factor_in_every_order():
    # of values that are equal: M (M^T E - E^T M) / 2 s of M = s * orthogonal
    x = 2.0 * Q
    e = weights((4, 4), 9)
    expected = (e - Q @ e.T @ Q) / 4
    with pytest.warns(dt.LostDerivativeWarning):
        close(dt.pushforward(_polar, x, e)[1], expected, 1e-14)
    close(dt.pullback(_polar, x)[1](e), expected, 1e-14)


def test_the_warning_is_an_error_of_dualtape_where_warnings_are():
    assert issubclass(dt.LostDerivativeWarning, RuntimeWarning)
    with pytest.raises(dt.DualtapeError):
        dt.gradient(LOST["vector"][0], np.eye(4))
