"""dualtape.scipy.sparse against dense differences."""

import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg

import dualtape as dt
from arrays.differences import agree
from arrays.random_programs import weights
from dualtape.errors import ConversionError, NoRuleError
from dualtape.scipy import sparse
from dualtape.scipy.sparse import linalg

N = 4
ROWS = np.array([0, 1, 2, 3, 0, 1, 3, 2, 0])
COLS = np.array([0, 1, 2, 3, 1, 3, 0, 1, 1])  # one place twice
PLAIN = scipy.sparse.csr_array((np.array([4.0, 5, 6, 7, 0.5, -1, 0.3, 0.7, 0.2]), (ROWS, COLS)), (N, N))
DATA = np.array([4.0, 5, 6, 7, 0.5, -1, 0.3, 0.7, 0.2])
B, BS = weights((N,), 2), weights((N, 2), 3)
WIDE = scipy.sparse.csc_array(np.array([[1.0, 0, 2, 0], [0, 3, 0, -1]]))
COMPLEX = PLAIN + 1j * PLAIN.T


def dense(data):
    """What the sparse matrix of traced numbers means."""
    out = np.zeros((N, N), data.dtype)
    np.add.at(out, (ROWS, COLS), data)
    return out


def of(data):
    return sparse.csr_array((data, (ROWS, COLS)), shape=(N, N))


PRODUCTS = {
    "function": (lambda x: sparse.matmul(PLAIN, x), lambda x: PLAIN @ x, B),
    "matrix": (lambda x: sparse.matmul(PLAIN, x), lambda x: PLAIN @ x, BS),
    "operator": (lambda x: sparse.csr_array(PLAIN) @ x, lambda x: PLAIN @ x, B),
    "dot": (lambda x: sparse.csc_array(PLAIN).dot(x), lambda x: PLAIN @ x, BS),
    "from the right": (lambda x: x @ sparse.csr_array(PLAIN), lambda x: x @ PLAIN, B),
    "rows from the right": (lambda x: x.T @ sparse.coo_array(PLAIN), lambda x: x.T @ PLAIN, BS),
    "transpose": (lambda x: sparse.csr_array(PLAIN).T @ x, lambda x: PLAIN.T @ x, B),
    "wide": (lambda x: sparse.csc_array(WIDE) @ x, lambda x: WIDE @ x, B),
    "complex": (lambda x: sparse.matmul(COMPLEX, x), lambda x: COMPLEX @ x, B),
    "numbers": (lambda d: of(d) @ B, lambda d: dense(d) @ B, DATA),
    "numbers and matrix": (lambda d: of(d) @ BS, lambda d: dense(d) @ BS, DATA),
    "numbers times traced": (lambda d: of(d) @ d[:N], lambda d: dense(d) @ d[:N], DATA),
    "numbers from the right": (lambda d: B @ of(d), lambda d: B @ dense(d), DATA),
    "traced from the right": (lambda d: d[:N] @ of(2.0 * d), lambda d: d[:N] @ dense(2.0 * d), DATA),
    "transpose of numbers": (lambda d: (-of(d)).T.dot(B), lambda d: -dense(d).T @ B, DATA),
    "toarray": (lambda d: (d[0] * of(d)).toarray(), lambda d: d[0] * dense(d), DATA),
    "diagonal": (lambda d: of(d).diagonal(), lambda d: np.diagonal(dense(d)), DATA),
    "compressed rows": (
        lambda d: sparse.csr_array((d[:3], [0, 2, 1], [0, 2, 3]), shape=(2, 3)) @ B[:3],
        lambda d: np.array([[d[0], 0, d[1]], [0, d[2], 0]]) @ B[:3],
        DATA,
    ),
    "compressed columns": (
        lambda d: sparse.csc_array((d[:3], [0, 2, 1], [0, 2, 3])) @ B[:2],
        lambda d: np.array([[d[0], 0], [0, d[2]], [d[1], 0]]) @ B[:2],
        DATA,
    ),
}
TIGHT = {"rtol": 1e-13, "atol": 0.0}
SOLVES = {
    "right side": (lambda b: linalg.spsolve(PLAIN, b), lambda b: np.linalg.solve(PLAIN.toarray(), b), B),
    "right sides": (lambda b: linalg.spsolve(PLAIN, b), lambda b: np.linalg.solve(PLAIN.toarray(), b), BS),
    "column": (lambda b: linalg.spsolve(PLAIN, b[:, :1]), lambda b: np.linalg.solve(PLAIN.toarray(), b[:, 0]), BS),
    "complex": (lambda b: linalg.spsolve(COMPLEX, b), lambda b: np.linalg.solve(COMPLEX.toarray(), b), B),
    "numbers": (lambda d: linalg.spsolve(of(d), B), lambda d: np.linalg.solve(dense(d), B), DATA),
    "numbers and sides": (lambda d: linalg.spsolve(of(d), BS), lambda d: np.linalg.solve(dense(d), BS), DATA),
    "both": (lambda d: linalg.spsolve(of(d), d[:N]), lambda d: np.linalg.solve(dense(d), d[:N]), DATA),
    "gmres": (lambda b: linalg.gmres(PLAIN, b, **TIGHT)[0], lambda b: np.linalg.solve(PLAIN.toarray(), b), B),
    "gmres numbers": (lambda d: linalg.gmres(of(d), B, **TIGHT)[0], lambda d: np.linalg.solve(dense(d), B), DATA),
    "gmres dense": (lambda d: linalg.gmres(dense_of(d), B, **TIGHT)[0], lambda d: np.linalg.solve(dense(d), B), DATA),
    "bicgstab": (lambda b: linalg.bicgstab(PLAIN, b, **TIGHT)[0], lambda b: np.linalg.solve(PLAIN.toarray(), b), B),
    "cg": (
        lambda d: linalg.cg(symmetric(d), B, **TIGHT)[0],
        lambda d: np.linalg.solve(dense(d) + dense(d).T, B),
        DATA,
    ),
    "cg right side": (
        lambda b: linalg.cg(PLAIN + PLAIN.T, b, np.ones(N), **TIGHT, M=scipy.sparse.eye_array(N))[0],
        lambda b: np.linalg.solve((PLAIN + PLAIN.T).toarray(), b),
        B,
    ),
}


def dense_of(d):
    return of(d).toarray()


def symmetric(d):
    places = np.concatenate([ROWS, COLS]), np.concatenate([COLS, ROWS])
    return sparse.coo_array((np.concatenate([d, d]), places), (N, N))


@pytest.mark.parametrize("name", PRODUCTS)
def test_products(name):
    f, reference, x = PRODUCTS[name]
    agree(f, x, plain=reference, reference=reference, order=3, exact=False)
    agree(f, x + 0.3j * weights(x.shape, 5), plain=reference, reference=reference, order=2, exact=False)


@pytest.mark.parametrize("name", SOLVES)
def test_solves(name):
    f, reference, x = SOLVES[name]
    agree(f, x, plain=reference, reference=reference, order=3, exact=False)
    if not name.startswith("cg"):  # which is for Hermitian matrices
        agree(f, x + 0.2j * weights(x.shape, 5), plain=reference, reference=reference, order=2, exact=False)


def test_linear_operators():
    a = scipy.sparse.linalg.LinearOperator((N, N), matvec=lambda x: PLAIN @ x, rmatvec=lambda x: PLAIN.T @ x)
    reference = lambda b: np.linalg.solve(PLAIN.toarray(), b)
    agree(lambda b: linalg.gmres(a, b, **TIGHT)[0], B, plain=reference, reference=reference, order=2, exact=False)


def test_linear_operators_without_an_adjoint():
    normal = PLAIN @ PLAIN.T
    a = scipy.sparse.linalg.LinearOperator((N, N), matvec=lambda x: normal @ x, dtype=float)
    reference = lambda b: np.linalg.solve(normal.toarray(), b)
    agree(lambda b: linalg.cg(a, b, **TIGHT)[0], B, plain=reference, reference=reference, order=2, exact=False)
    dt.pushforward(lambda b: linalg.gmres(a, b, **TIGHT)[0], B, B)
    with pytest.raises(NoRuleError, match="rmatvec"):
        dt.gradient(lambda b: np.sum(linalg.gmres(a, b, **TIGHT)[0]), B)


def test_linear_operators_of_traced_values():
    def f(d):
        a = scipy.sparse.linalg.LinearOperator((N, N), matvec=lambda x: of(d) @ x, dtype=float)
        return np.sum(linalg.cg(a, B * d[0])[0])

    with pytest.raises(ConversionError):
        dt.gradient(f, DATA)


def test_plain_arguments_go_to_scipy():
    assert isinstance(sparse.csr_array(PLAIN), scipy.sparse.csr_array)
    assert isinstance(sparse.csr_array(PLAIN).T, scipy.sparse.csc_array)
    np.testing.assert_array_equal(sparse.csr_array(PLAIN) @ B, PLAIN @ B)
    np.testing.assert_array_equal(B @ sparse.csr_array(PLAIN), B @ PLAIN)
    np.testing.assert_array_equal(linalg.spsolve(PLAIN.tocsc(), B), scipy.sparse.linalg.spsolve(PLAIN.tocsc(), B))
    x, info = linalg.cg(PLAIN + PLAIN.T, B)
    np.testing.assert_array_equal(x, scipy.sparse.linalg.cg(PLAIN + PLAIN.T, B)[0])
    assert info == 0 and sparse.eye_array is scipy.sparse.eye_array


def test_the_number_of_iterations_is_reported():
    seen = []
    info = dt.pullback(lambda b: linalg.gmres(PLAIN, b, maxiter=1, restart=1, rtol=1e-14)[1] * np.sum(b * 0.0), B)
    assert info is not None
    dt.gradient(lambda b: seen.append(linalg.cg(PLAIN + PLAIN.T, b)[1]) or np.sum(b), B)
    assert seen == [0]


ERRORS = {
    "other lengths": (lambda d: of(d) @ d, ValueError),
    "other lengths of a system": (lambda d: linalg.spsolve(of(d), d), ValueError),
    "singular": (lambda d: linalg.spsolve(of(d * 0.0), B), (np.linalg.LinAlgError, RuntimeWarning)),
    "places outside": (lambda d: sparse.csr_array((d, (ROWS + 1, COLS)), (N, N)), ValueError),
    "a traced dense matrix": (lambda d: sparse.csr_array(np.outer(d, d)), NoRuleError),
    "another method": (lambda d: of(d).tolil(), NoRuleError),
    "a factor for each number": (lambda d: of(d) * dense(np.ones(9)), NoRuleError),
}


@pytest.mark.filterwarnings("ignore:Matrix is exactly singular")
@pytest.mark.parametrize("name", ERRORS)
def test_errors(name):
    f, error = ERRORS[name]
    for differentiate in (dt.gradient, lambda f, x: dt.pushforward(f, x, x)):
        with pytest.raises(error):
            differentiate(lambda d: np.sum(f(d)), DATA)
