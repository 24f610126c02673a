"""dualtape.scipy.linalg against differences of SciPy."""

import itertools

import numpy as np
import pytest
import scipy.linalg

import dualtape as dt
from arrays.differences import agree
from arrays.random_programs import close, weights
from dualtape.errors import NoRuleError
from dualtape.scipy import linalg


def point(n, m, seed=0):
    """A matrix far from singular, with eigenvalues apart, and right sides beside it."""
    x = weights((n, m), seed + 0.3) + 0.1 * weights((n, m), seed + 4.7) ** 2
    x[range(n), range(n)] += 3.0 + np.arange(n)
    return x


def positive(x, m=None):
    return x @ np.conjugate(x).T / 3 + np.eye(len(x))


def sym(x):
    return x + x.T


def her(x):
    return x + np.conjugate(x).T


B = weights((3, 2), 4)
KINDS = {
    "gen": lambda x: x,
    "general": lambda x: x,
    "sym": lambda x: x,
    "symmetric": lambda x: x,
    "her": lambda x: x,
    "hermitian": lambda x: x,
    "pos": lambda x: x,
    "positive definite": lambda x: x,
    "upper triangular": np.triu,
    "lower triangular": np.tril,
    "diagonal": lambda x: x * np.eye(3),
    "tridiagonal": lambda x: np.triu(np.tril(x, 1), -1),
    "banded": lambda x: np.triu(x, -1),
    None: lambda x: x,
}
CASES = {
    "solve vector": lambda x, m: m.solve(x[:, :3], x[:, 3]),
    "solve transposed": lambda x, m: m.solve(x[:, :3], x[:, 3:], transposed=not np.iscomplexobj(x)),
    "solve plain right side": lambda x, m: m.solve(x[:, :3], B),
    "solve plain matrix": lambda x, m: m.solve(point(3, 3), x[:, 3:]),
    "triangular": lambda x, m: m.solve_triangular(x[:, :3], x[:, 3:]),
    "triangular vector": lambda x, m: m.solve_triangular(x[:, :3], x[:, 3]),
    "triangular lower": lambda x, m: m.solve_triangular(x[:, :3], x[:, 3:], lower=True),
    "triangular T": lambda x, m: m.solve_triangular(x[:, :3], x[:, 3:], trans="T"),
    "triangular C": lambda x, m: m.solve_triangular(x[:, :3], x[:, 3:], trans=2, lower=True),
    "triangular unit": lambda x, m: m.solve_triangular(x[:, :3], x[:, 3:], trans=1, unit_diagonal=True),
    "cholesky": lambda x, m: m.cholesky(positive(x[:, :3])),
    "cholesky lower": lambda x, m: m.cholesky(positive(x[:, :3]), lower=True),
    # What is in the other triangle differs between versions of SciPy.
    "cho_factor": lambda x, m: np.triu(m.cho_factor(positive(x[:, :3]))[0]),
    "cho_factor lower": lambda x, m: np.tril(m.cho_factor(positive(x[:, :3]), lower=True)[0]),
    "cho_solve": lambda x, m: m.cho_solve(m.cho_factor(positive(x[:, :3])), x[:, 3:]),
    "cho_solve lower": lambda x, m: m.cho_solve(m.cho_factor(positive(x[:, :3]), True), x[:, 3]),
    "lu_factor": lambda x, m: m.lu_factor(x[::-1, :3])[0],
    "lu_solve": lambda x, m: m.lu_solve(m.lu_factor(x[::-1, :3]), x[:, 3:]),
    "lu_solve T": lambda x, m: m.lu_solve(m.lu_factor(x[::-1, :3]), x[:, 3], trans=1),
    "lu_solve C": lambda x, m: m.lu_solve(m.lu_factor(x[[1, 2, 0], :3]), x[:, 3:], trans=2),
    "expm": lambda x, m: m.expm(x[:, :3] / 4),
    "logm": lambda x, m: m.logm(positive(x[:, :3])),
    "logm of any": lambda x, m: m.logm(x[:, :3]),
    "sqrtm": lambda x, m: m.sqrtm(x[:, :3]),
    "sylvester": lambda x, m: m.solve_sylvester(x[:, :3], x[:2, :2], x[:, 3:]),
    "lyapunov": lambda x, m: m.solve_continuous_lyapunov(x[:, :3], x[:, 1:4] * 0.3),
    "toeplitz": lambda x, m: m.toeplitz(x[:, 0]),
    "toeplitz row": lambda x, m: m.toeplitz(x[:, 0], x[1]),
    "toeplitz plain": lambda x, m: m.toeplitz([1.0, 2.0], x[1]),
    "block_diag": lambda x, m: m.block_diag(x[:, :2], x[0], B, 2.0),
    "hankel": lambda x, m: m.hankel(x[:, 0]),
    "hankel row": lambda x, m: m.hankel(x[:, 0], x[1]),
    "circulant": lambda x, m: m.circulant(x[:, 0] * x[:, 1]),
    "banded": lambda x, m: m.solve_banded((1, 1), x[::-1, :3][[1, 0, 2]] + np.array([[0.0], [9.0], [0.0]]), x[:, 3:]),
    "banded upper": lambda x, m: m.solve_banded((0, 1), x[1:, 1:4] + 4.0, x[:, 3]),
    "norm": lambda x, m: m.norm(x),
    "norm axis": lambda x, m: m.norm(x, 3, axis=1, keepdims=True),
    "pinv": lambda x, m: m.pinv(x),
    "svdvals": lambda x, m: m.svdvals(x),
    "eigvalsh": lambda x, m: m.eigvalsh(x[:, :3], lower=False),
    "cosm": lambda x, m: m.cosm(x[:, :3] / 4),
    "sinm": lambda x, m: m.sinm(x[:, :3] / 4),
    "tanm": lambda x, m: m.tanm(x[:, :3] / 8),
    "coshm": lambda x, m: m.coshm(x[:, :3] / 4),
    "sinhm": lambda x, m: m.sinhm(x[:, :3] / 4),
    "tanhm": lambda x, m: m.tanhm(x[:, :3] / 4),
    "det": lambda x, m: m.det(x[:, :3]),
    "inv": lambda x, m: m.inv(x[:, :3]),
}


@pytest.mark.parametrize("name", CASES)
def test_every_mode(name):
    f = CASES[name]
    for x, order in ((point(3, 5), 3), (point(3, 5) + 0.3j * weights((3, 5), 2), 2)):
        loose = name.startswith(("log", "sqrt"))
        agree(
            lambda x: f(x, linalg), x, plain=lambda x: f(x, scipy.linalg), reference=lambda x: f(x, scipy.linalg),
            order=order, exact=not loose, rtol=1e-7 if loose else 1e-8,
        )  # fmt: skip
        np.testing.assert_array_equal(f(x, linalg), f(x, scipy.linalg))


@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_solve_with_every_structure(kind, lower):
    def f(x, m):
        return m.solve(KINDS[kind](x[:, :3]), x[:, 3:], assume_a=kind, lower=lower)

    def whole(x, m):
        a = {"her": positive, "hermitian": positive, "pos": positive, "positive definite": positive}.get(kind)
        x = np.concatenate([a(x[:, :3]) if a else sym(x[:, :3]), x[:, 3:]], axis=1)
        return f(x, m)

    for x in (point(3, 5), point(3, 5) + 0.3j * weights((3, 5), 2)):
        for g in (whole, f) if kind not in ("pos", "positive definite", "her", "hermitian") else (whole,):
            agree(
                lambda x, g=g: g(x, linalg), x, plain=lambda x, g=g: g(x, scipy.linalg),
                reference=lambda x, g=g: g(x, scipy.linalg), order=2,
            )  # fmt: skip


@pytest.mark.parametrize("kind", ["upper triangular", "lower triangular", "pos", "sym", None], ids=str)
def test_transposed_systems_of_every_structure(kind):
    f = lambda x, m: m.solve(positive(x[:, :3]), x[:, 3:], assume_a=kind, transposed=True)
    agree(
        lambda x: f(x, linalg), point(3, 5), plain=lambda x: f(x, scipy.linalg),
        reference=lambda x: f(x, scipy.linalg), order=2,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["expm", "sqrtm", "logm"])
def test_functions_of_matrices_with_repeated_eigenvalues(name):
    x = np.diag([2.0, 2.0, 3.0])
    f = getattr(linalg, name)
    agree(f, x, reference=getattr(scipy.linalg, name), order=2, rtol=1e-7, exact=False)
    agree(lambda x: f(x + 0.0), np.eye(3), reference=getattr(scipy.linalg, name), order=2, rtol=1e-7, exact=False)


def test_stacks_of_matrix_functions():
    x = np.stack([point(3, 3), point(3, 3, 1)])
    for name in ("expm", "sqrtm", "logm"):
        f = getattr(linalg, name)
        one = [dt.gradient(lambda y: np.sum(f(y / 3) ** 2), y) for y in x]
        close(dt.gradient(lambda y: np.sum(f(y / 3) ** 2), x), np.stack(one), 1e-11)
        close(dt.pushforward(lambda y: np.sum(f(y / 3) ** 2), x, x)[1], np.sum(np.stack(one) * x), 1e-11)


def test_complex_results_of_real_matrices():
    for name, x in itertools.product(("sqrtm", "logm"), ([[-1.0, 0.3], [0.2, 2.0]], [[-1.0, 0.3], [0.2, -2.0]])):
        f, x = getattr(linalg, name), np.array(x)
        assert np.iscomplexobj(f(x))
        agree(f, x, reference=getattr(scipy.linalg, name), order=2, rtol=1e-7, exact=False)


def test_what_is_not_read_does_not_count():
    x = point(3, 3)
    f = lambda x: np.sum(linalg.solve(x, B, assume_a="pos", lower=True) ** 2)
    assert np.all(dt.gradient(f, positive(x))[np.triu_indices(3, 1)] == 0)
    f = lambda x: np.sum(linalg.solve_triangular(x, B) ** 2)
    assert np.all(dt.gradient(f, x)[np.tril_indices(3, -1)] == 0)


ERRORS = {
    "no square": (lambda x: linalg.solve(x[:2], x), (ValueError, np.linalg.LinAlgError)),
    "other lengths": (lambda x: linalg.solve(x, x[:2]), ValueError),
    "singular": (lambda x: linalg.solve(x * 0.0, x), np.linalg.LinAlgError),
    "singular triangle": (lambda x: linalg.solve_triangular(x * 0.0, x), np.linalg.LinAlgError),
    "not positive": (lambda x: linalg.cholesky(-x), np.linalg.LinAlgError),
    "not positive for cho_factor": (lambda x: linalg.cho_factor(-x)[0], np.linalg.LinAlgError),
    "an unknown structure": (lambda x: linalg.solve(x, x, assume_a="other"), ValueError),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_are_those_of_scipy(name):
    f, error = ERRORS[name]
    x = point(3, 3)
    for differentiate in (lambda f, x: f(x), dt.gradient, lambda f, x: dt.hvp(f, x, x)):
        with pytest.raises(error):
            differentiate(lambda x: np.sum(f(x)), x)


def test_stacks_of_systems():
    x = np.stack([point(3, 5), point(3, 5, 1)])
    for f in (
        lambda x, m: m.solve(x[..., :3], x[..., 3:]),
        lambda x, m: m.solve(x[..., :3], x[..., 3:], assume_a="sym", lower=True),
        lambda x, m: m.solve(x[..., :3], x[..., 3:], transposed=True),
        lambda x, m: m.solve_triangular(x[..., :3], x[..., 3:], lower=True, trans=1),
        lambda x, m: m.cho_solve((x[..., :3], True), x[..., 3:]),
        lambda x, m: m.cholesky(x[..., :3] @ np.swapaxes(x[..., :3], -1, -2)),
        lambda x, m: m.det(x[..., :3]),
    ):
        agree(
            lambda x, f=f: f(x, linalg), x, plain=lambda x, f=f: f(x, scipy.linalg),
            reference=lambda x, f=f: f(x, scipy.linalg), order=2, exact=False, rtol=1e-7,
        )  # fmt: skip


def test_eigenvalues_are_complex():
    x = point(3, 3)
    agree(linalg.eigvals, x, plain=scipy.linalg.eigvals, reference=scipy.linalg.eigvals, order=2, exact=False)
    assert dt.pullback(linalg.eigvals, x)[0].dtype == np.complex128


def test_stacks_without_a_rule():
    x = np.stack([point(3, 3)] * 2)
    for f in (lambda x: linalg.lu_factor(x)[0], lambda x: linalg.toeplitz(x)):
        with pytest.raises(NoRuleError):
            dt.gradient(lambda x, f=f: np.sum(f(x)), x)


def test_other_functions_are_of_plain_values():
    x = point(3, 3)
    np.testing.assert_array_equal(linalg.hadamard(4), scipy.linalg.hadamard(4))
    assert linalg.schur.__name__ == "schur"
    for f in (linalg.schur, linalg.lu, linalg.polar, lambda x: linalg.eigvalsh(x, x)):
        with pytest.raises(NoRuleError, match=r"scipy\.linalg"):
            dt.gradient(lambda x, f=f: np.sum(f(x)[0]), x)
    with pytest.raises(AttributeError):
        linalg.nothing
