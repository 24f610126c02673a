"""numpy.linalg in every mode: real and complex, stacks, tall and wide, repeated and zero values."""

import contextlib

import numpy as np
import pytest

import dualtape as dt
from arrays.differences import agree, direction, real_total
from arrays.random_programs import close, weights

la = np.linalg


def point(shape, seed=0):
    """A matrix without a pattern, or a stack of them, far from singular."""
    x = weights(shape, seed + 0.3)
    n = min(shape[-2:]) if len(shape) > 1 else 0
    if n:
        x[..., range(n), range(n)] += 2.0 + 0.5 * np.arange(n)
    return x


def positive(x):
    """A Hermitian matrix with positive eigenvalues, that are apart."""
    xh = np.conjugate(np.swapaxes(x, -1, -2))
    return x @ xh + np.eye(x.shape[-1])


def size2(z):
    """|z|^2, which the phase of a vector does not change."""
    return (z * np.conjugate(z)).real


B3 = weights((3, 2), 4)

# Of a square matrix, or a stack of them; all without a choice of sign or phase, so that differences can be taken.
SQUARE = {
    "cholesky": lambda x: la.cholesky(positive(x)),
    "cholesky upper": lambda x: la.cholesky(positive(x), upper=True),
    "cholesky of a triangle": lambda x: la.cholesky(x + np.swapaxes(np.conjugate(x), -1, -2) + 2 * np.triu(x, 1)),
    "det": lambda x: la.det(x),
    "slogdet": lambda x: la.slogdet(x),
    "inv": lambda x: la.inv(x),
    "eigh values": lambda x: la.eigh(positive(x)).eigenvalues,
    "eigh vectors": lambda x: size2(la.eigh(positive(x)).eigenvectors),
    "eigh projections": lambda x: _projection(la.eigh(positive(x))[1]),
    "eigh of a triangle": lambda x: size2(la.eigh(x + 1j * x)[1]) * la.eigh(x)[0][..., None],
    "eigh U": lambda x: size2(la.eigh(x, UPLO="U")[1]),
    "eigvalsh": lambda x: la.eigvalsh(x),
    "eigvalsh U": lambda x: la.eigvalsh(x, "U"),
    "eigvals": lambda x: la.eigvals(x),
    "eig": lambda x: _weighted_eig(x),
    "svd": lambda x: _svd(la.svd(x)),
    "svd values": lambda x: la.svd(x, compute_uv=False),
    "svd hermitian": lambda x: _svd(la.svd(x, hermitian=True)),
    "svd hermitian values": lambda x: la.svd(x, hermitian=True, compute_uv=False),
    "svdvals": lambda x: la.svdvals(x),
    "qr": lambda x: la.qr(x),
    "qr r": lambda x: la.qr(x, mode="r"),
    "qr raw": lambda x: la.qr(x, mode="raw"),
    "pinv": lambda x: la.pinv(x),
    "pinv hermitian": lambda x: la.pinv(x, hermitian=True),
    "cond": lambda x: la.cond(x),
    "cond -2": lambda x: la.cond(x, -2),
    "cond 1": lambda x: la.cond(x, 1),
    "cond inf": lambda x: la.cond(x, np.inf),
    "cond fro": lambda x: la.cond(x, "fro"),
    "matrix_power 3": lambda x: la.matrix_power(x, 3),
    "matrix_power 5": lambda x: la.matrix_power(x, 5) / 100,
    "matrix_power -2": lambda x: la.matrix_power(x, -2),
    "matrix_power 1": lambda x: la.matrix_power(x, 1) * x,
    "trace": lambda x: la.trace(x * x),
    "trace offset": lambda x: la.trace(x * x, offset=1),
    "diagonal": lambda x: la.diagonal(x * x, offset=-1),
    "matrix_norm": lambda x: la.matrix_norm(x),
    "vector_norm": lambda x: la.vector_norm(x),
    "vector_norm axes": lambda x: la.vector_norm(x, axis=(-2, -1), ord=3, keepdims=True),
    "vecdot": lambda x: la.vecdot(x, x[..., ::-1, :]),
    "vecdot axis": lambda x: la.vecdot(x, x[..., ::-1, :], axis=-2),
    "cross": lambda x: la.cross(x, x[..., ::-1, :] * x),
    "cross axis": lambda x: la.cross(x, x[..., ::-1] * x, axis=-2),
    "outer": lambda x: la.outer(x[..., 0].ravel(), x[..., 1].ravel()),
    "matrix_transpose": lambda x: la.matrix_transpose(x) * x,
    "solve": lambda x: la.solve(x, B3),
}
PLAIN_SHAPED = {
    "lstsq": ((4, 3), lambda x: _without_rank(la.lstsq(x, weights((4, 2), 3)))),
    "lstsq both": ((4, 5), lambda x: _without_rank(la.lstsq(x[:, :3], x[:, 3:]))),
    "lstsq vector": ((4, 4), lambda x: _without_rank(la.lstsq(x[:, :3], x[:, 3], rcond=1e-12))),
    "lstsq wide": ((3, 6), lambda x: _without_rank(la.lstsq(x[:, :5], x[:, 5]))),
    "lstsq square": ((3, 4), lambda x: _without_rank(la.lstsq(x[:, :3], x[:, 3:], rcond=None))),
    "multi_dot": ((3, 4), lambda x: la.multi_dot([x[0], x.T, x / 9, x.T / 9, x[:, 1]])),
    "multi_dot matrices": ((3, 4), lambda x: la.multi_dot([x, x.T, B3, B3.T])),
    "multi_dot of two": ((3, 4), lambda x: la.multi_dot([x, x.T])),
    "tensorinv": ((4, 2, 2), lambda x: la.tensorinv(x + np.eye(4).reshape(4, 2, 2), ind=1)),
    "tensorinv 2": ((2, 2, 4), lambda x: la.tensorinv(x + np.eye(4).reshape(2, 2, 4))),
    "tensorsolve": ((2, 2, 4), lambda x: la.tensorsolve(x + np.eye(4).reshape(2, 2, 4), x[:, :, 0])),
    "tensorsolve axes": ((2, 4, 2), lambda x: la.tensorsolve(x + np.eye(4).reshape(2, 4, 2), x[:, 0, :], axes=(1,))),
}
TALL = {
    "svd reduced": lambda x: _svd(la.svd(x, full_matrices=False)),
    "svd full": lambda x: _svd_full(la.svd(x)),
    "svdvals": lambda x: la.svdvals(x),
    "qr": lambda x: la.qr(x),
    "qr r": lambda x: la.qr(x, "r"),
    "qr raw": lambda x: la.qr(x, "raw"),
    "qr complete": lambda x: _qr_complete(la.qr(x, mode="complete")),
    "pinv": lambda x: la.pinv(x),
    "pinv rtol": lambda x: la.pinv(x, rtol=1e-12),
    "cond": lambda x: la.cond(x),
    "matrix_norm": lambda x: la.matrix_norm(x, ord=1, keepdims=True),
}


def _projection(v):
    first = v[..., :1]
    return first @ np.conjugate(np.swapaxes(first, -1, -2))


def _weighted_eig(x):
    w, v = la.eig(x)
    return w, size2(v), v * np.conjugate(v[..., :1, :])


def _svd(parts):
    u, s, vh = parts
    k = s.shape[-1]
    return s, size2(u[..., :k]), size2(vh[..., :k, :]), u[..., :k] @ vh[..., :k, :]


def _svd_full(parts):
    u, s, vh = parts
    k = s.shape[-1]
    m = u[..., k:] @ np.conjugate(np.swapaxes(u[..., k:], -1, -2))
    n = np.conjugate(np.swapaxes(vh[..., k:, :], -1, -2)) @ vh[..., k:, :]
    return *_svd(parts), m, n


def _qr_complete(parts):
    q, r = parts
    k = min(r.shape[-2:])
    return q[..., :k], r, q[..., k:] @ np.conjugate(np.swapaxes(q[..., k:], -1, -2))


def _without_rank(parts):
    return parts[0], parts[1], parts[3]


def complex_point(shape):
    return point(shape) + 0.4j * weights(shape, 2)


@pytest.mark.parametrize("name", SQUARE)
def test_square(name):
    agree(SQUARE[name], point((3, 3)), order=3)


@pytest.mark.parametrize("name", SQUARE)
def test_stacks(name):
    agree(SQUARE[name], point((2, 3, 3)), order=2)


@pytest.mark.parametrize("name", [k for k in SQUARE if k != "eigh of a triangle"])
def test_complex(name):
    agree(SQUARE[name], complex_point((3, 3)), order=2)


@pytest.mark.parametrize("name", PLAIN_SHAPED)
def test_shaped(name):
    shape, f = PLAIN_SHAPED[name]
    agree(f, point(shape), order=3)
    agree(f, complex_point(shape), order=1)


@pytest.mark.parametrize("shape", [(4, 2), (2, 4), (2, 4, 3)], ids=str)
@pytest.mark.parametrize("name", TALL)
def test_tall_and_wide(name, shape):
    agree(TALL[name], point(shape), order=2)
    agree(TALL[name], complex_point(shape), order=1)


# What programs make of these, beyond all choices of signs.
PROGRAMS = {
    "log-determinant": lambda x: la.slogdet(positive(x) - 0.1 * la.inv(positive(x)))[1],
    "whitening": lambda x: la.inv(la.cholesky(positive(x))) @ x,
    "principal components": lambda x: _truncated(*la.svd(x - x.mean(0))),
    "root by eigh": lambda x: _function(np.sqrt, *la.eigh(positive(x))),
    "polar factor": lambda x: la.svd(x)[0] @ la.svd(x)[2],
    "least squares by qr": lambda x: la.solve(la.qr(x)[1], la.qr(x)[0].T @ x[0]),
    "exponential by eig": lambda x: ((la.eig(x)[1] * np.exp(la.eig(x)[0])) @ la.inv(la.eig(x)[1])).real / 9,
    "determinant of a spectrum": lambda x: np.log(np.abs(la.det(np.fft.fft(x)))),
    "autocorrelation": lambda x: np.fft.irfft(np.abs(np.fft.rfft(x, axis=0)) ** 2, n=3, axis=0) / 9,
    "inverse of low rank": lambda x: la.pinv(x[:, :2] @ x[:2]),
}


def _truncated(u, s, vh):
    return (u[:, :2] * s[:2]) @ vh[:2]


def _function(f, w, v):
    return (v * f(w)) @ v.T


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name):
    x = np.array([[1.1, 0.4, -0.6], [0.3, -1.7, 0.2], [0.8, 0.5, 2.4]])
    agree(PROGRAMS[name], x, order=3, rtol=1e-7, exact=False)


# --- where a formula alone would divide by zero -------------------------------------------------------------------

Q = la.qr(point((4, 4), 3))[0]
SINGULAR = {
    "rank 3": Q @ np.diag([3.0, 2.0, 1.0, 0.0]) @ Q.T[::-1],
    "rank 2": Q @ np.diag([3.0, 2.0, 0.0, 0.0]) @ Q[::-1],
    "rank 1": np.outer([1.0, 2.0, 3.0], [1.0, -1.0, 0.5]),
    "zero": np.zeros((3, 3)),
    "two by two": np.array([[1.0, 2.0], [2.0, 4.0]]),
    "zero number": np.zeros((1, 1)),
    "a stack": np.stack([np.diag([1.0, 2.0, 0.0]), point((3, 3)), np.diag([0.0, 0.0, 2.0])]),
    "complex": np.outer([1.0, 2.0j, 3.0], [1.0, -1.0, 0.5j]),
    "nearly": np.diag([1.0, 1e-12, 1e-13]),
}


def leibniz(x):
    """The determinant by its definition: a polynomial."""
    n = x.shape[-1]
    if n == 1:
        return x[..., 0, 0]
    rest = [np.concatenate([x[..., 1:, :k], x[..., 1:, k + 1 :]], axis=-1) for k in range(n)]
    return sum((-1) ** k * x[..., 0, k] * leibniz(r) for k, r in enumerate(rest))


@pytest.mark.parametrize("name", SINGULAR)
def test_det_of_singular_matrices(name):
    x = SINGULAR[name]
    v = direction(x)
    ways = {
        "gradient": lambda f: dt.gradient(f, x),
        "forward": lambda f: dt.pushforward(f, x, v)[1],
        "second": lambda f: dt.pushforward(lambda y: dt.gradient(f, y), x, v)[1],
        "second in reverse": lambda f: dt.gradient(lambda y: np.sum((dt.gradient(f, y) * v).real), x),
        "third": lambda f: dt.pushforward(
            lambda z: dt.pushforward(lambda y: dt.gradient(f, y), z, v)[1], x, direction(x, 9)
        )[1],
    }
    for way, find in ways.items():
        total = [lambda x, d=d: np.sum(d(x)).real for d in (la.det, leibniz)]
        close(find(total[0]), find(total[1]), 1e-12, way)


def spectral(f, x):
    """A function of a symmetric matrix through its eigenvalues."""
    w, v = la.eigh(x)
    return (v * f(w)) @ v.T


REPEATED = {"identity": np.eye(3), "two of three": Q[:3, :3] * 0 + np.diag([2.0, 2.0, 5.0]), "turned": None}
REPEATED["turned"] = Q @ np.diag([1.0, 3.0, 3.0, 3.0]) @ Q.T
REPEATED["turned"] = (REPEATED["turned"] + REPEATED["turned"].T) / 2


@pytest.mark.parametrize("name", REPEATED)
def test_symmetric_functions_of_repeated_values(name):
    x = REPEATED[name]
    full = lambda g: np.tril(g + g.T) - np.diag(np.diag(g))  # of what reads one triangle
    cases = {
        "sum": (lambda x: np.sum(la.eigvalsh(x)), np.eye(len(x)), True),
        "sum of eigh": (lambda x: np.sum(la.eigh(x)[0]), np.eye(len(x)), True),
        "squares": (lambda x: np.sum(la.eigh(x)[0] ** 2), 2 * x, True),
        "exp": (lambda x: np.sum(np.exp(la.eigvalsh(x))), spectral(np.exp, x), True),
        "eig": (lambda x: np.sum(la.eig(x)[0].real ** 2), 2 * x.T, False),
        "eigvals": (lambda x: np.sum(la.eigvals(x).real ** 3), 3 * (x @ x).T, False),
        "nuclear": (lambda x: np.sum(la.svdvals(x)), np.eye(len(x)), False),
        "nuclear by svd": (lambda x: np.sum(la.svd(x)[1]), np.eye(len(x)), False),
        "log": (lambda x: np.sum(np.log(la.svdvals(x))), la.inv(x).T, False),
    }
    vectors = ("sum of eigh", "squares", "eig", "nuclear by svd")
    for case, (f, expected, triangle) in cases.items():
        expected = full(expected) if triangle else expected
        close(dt.gradient(f, x), expected, 1e-13, case)
        # in forward mode vectors have tangents, used or not
        with pytest.warns(dt.LostDerivativeWarning) if case in vectors else contextlib.nullcontext():
            close(dt.jacobian(f, x, mode="forward"), expected, 1e-13, case)


def test_projection_on_a_repeated_space():
    x = np.diag([1.0, 1.0, 4.0, 4.0]) + 0.0

    def f(x):
        v = la.eigh(x)[1][:, :2]
        return real_total(lambda v: v @ v.T)(v)

    # The projection on the lower space is an integral of the resolvent over a circle around it.
    angles = 2 * np.pi * (np.arange(64) + 0.5) / 64
    circle = 1.0 + 1.5 * np.exp(1j * angles)

    def projection(x):
        low = np.tril(x)
        whole = low + np.tril(x, -1).T
        terms = [(z - 1.0) * la.inv(z * np.eye(4) - whole) for z in circle]
        return (sum(terms) / 64).real

    g = real_total(projection)
    close(dt.gradient(f, x), dt.gradient(g, x), 1e-12)
    with pytest.warns(dt.LostDerivativeWarning):
        close(dt.pushforward(f, x, direction(x))[1], dt.pushforward(g, x, direction(x))[1], 1e-12)


def test_singular_values_that_are_zero_have_derivative_zero():
    x = np.outer([1.0, 2.0, 2.0], [0.6, 0.8])
    unit = np.outer([1.0, 2.0, 2.0], [0.6, 0.8]) / 3
    for f in (lambda x: np.sum(la.svdvals(x)), lambda x: np.sum(la.svd(x, compute_uv=False))):
        close(dt.gradient(f, x), unit, 1e-14)
        close(dt.jacobian(f, x, mode="forward"), unit, 1e-14)
        close(dt.gradient(f, np.zeros((3, 2))), np.zeros((3, 2)), 0)


def test_a_matrix_of_low_rank_from_its_decomposition():
    x = SINGULAR["rank 3"]

    def f(x):
        u, s, vh = la.svd(x)
        return (u * s) @ vh

    for v in (direction(x), np.eye(4)):
        close(dt.pushforward(f, x, v)[1], v, 1e-13)
        close(dt.pullback(f, x)[1](v), v, 1e-13)


def test_singular_values_far_apart():
    left, right = la.qr(point((4, 4), 1))[0], la.qr(point((4, 4), 2))[0]
    x = left @ np.diag([1.0, 0.5, 3e-9, 1e-9]) @ right
    for full in (False, True):

        def f(x, full=full):
            u, s, vh = la.svd(x, full_matrices=full)
            return (u * s) @ vh

        close(dt.pushforward(f, x, direction(x))[1], direction(x), 1e-6)
        close(dt.pullback(f, x)[1](direction(x)), direction(x), 1e-6)


def test_complex_eigenvalues_of_real_matrices():
    x = np.array([[1.0, 2.0, 0.3], [-1.5, 0.8, 0.2], [0.1, 0.4, 3.0]])
    assert np.iscomplexobj(la.eigvals(x))
    for f in (la.eigvals, lambda x: la.eig(x)[0], _weighted_eig, lambda x: la.eig(x)[1] ** 2):
        agree(f, x, order=3)


def test_results_may_be_written_to():
    x = positive(point((3, 3))) / 20
    c = np.array([1.0, 2.0, 3.0])

    def f(x):
        w, v = la.eigh(x)
        before = np.sum(w**2) + np.sum(v[:, 0] ** 2 * c)
        w *= 2.0
        v[:, 0] = 0.0
        return before + np.sum(w**3) + np.sum(v**4)

    def g(x):
        w, v = la.eigh(x)
        return np.sum(w**2) + np.sum(v[:, 0] ** 2 * c) + np.sum((2 * w) ** 3) + np.sum(v[:, 1:] ** 4)

    v = direction(x)
    close(dt.gradient(f, x), dt.gradient(g, x), 1e-13)
    close(dt.pushforward(f, x, v)[1], dt.pushforward(g, x, v)[1], 1e-13)
    close(dt.hvp(f, x, v), dt.hvp(g, x, v), 1e-12)


def test_eigenvalues_of_a_triangle_do_not_depend_on_the_other():
    x = point((3, 3))
    for f, zero in ((la.cholesky, np.triu_indices(3, 1)), (la.eigvalsh, np.triu_indices(3, 1))):
        gradient = dt.gradient(lambda x: np.sum(f(x + 3 * np.eye(3)) ** 3), x)
        assert np.all(gradient[zero] == 0)
        assert np.all(gradient[np.tril_indices(3)] != 0)


# --- dtypes, shapes, errors -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [k for k in SQUARE if k not in ("eigh of a triangle", "solve")])
def test_float32(name):
    x = point((3, 3)).astype(np.float32)
    scalar = real_total(SQUARE[name])
    assert [np.asarray(y).dtype for y in _pieces(dt.pullback(SQUARE[name], x)[0])] == [
        np.asarray(y).dtype for y in _pieces(SQUARE[name](x.copy()))
    ]
    found = dt.gradient(scalar, x)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, dt.gradient(scalar, x.astype(float)), rtol=3e-3, atol=3e-3)


def _pieces(x):
    return x if isinstance(x, tuple) else (x,)


LAYOUTS = {
    "Fortran": np.asfortranarray,
    "reversed": lambda x: x[::-1, ::-1].copy()[::-1, ::-1],
    "every second": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "read-only": lambda x: np.broadcast_to(x, x.shape),
}


@pytest.mark.parametrize("name", SQUARE)
def test_layouts(name):
    x = point((3, 3))
    scalar = real_total(SQUARE[name])
    expected = dt.gradient(scalar, x)
    for layout in LAYOUTS.values():
        close(dt.gradient(scalar, layout(x)), expected, 1e-13)
    close(dt.gradient(lambda x: scalar(x.T.copy().T[::-1][::-1]), x), expected, 1e-13)


EMPTY = {
    "det": ((0, 0), lambda x: la.det(x)),
    "det of none": ((0, 3, 3), lambda x: la.det(x)),
    "slogdet": ((0, 0), lambda x: la.slogdet(x)),
    "cholesky": ((0, 0), lambda x: la.cholesky(x)),
    "cholesky of none": ((0, 2, 2), lambda x: la.cholesky(x)),
    "eigh": ((0, 0), lambda x: la.eigh(x)),
    "eigh of none": ((0, 2, 2), lambda x: la.eigh(x)),
    "eigvalsh": ((0, 2, 2), lambda x: la.eigvalsh(x)),
    "eig": ((0, 2, 2), lambda x: la.eig(x)),
    "eigvals": ((0, 2, 2), lambda x: la.eigvals(x)),
    "svd": ((0, 3), lambda x: la.svd(x, full_matrices=False)),
    "svd of none": ((0, 3, 2), lambda x: la.svd(x)),
    "svdvals": ((3, 0), lambda x: la.svdvals(x)),
    "qr": ((0, 3), lambda x: la.qr(x)),
    "pinv": ((0, 3), lambda x: la.pinv(x)),
    "matrix_power": ((0, 2, 2), lambda x: la.matrix_power(x, 3)),
}


@pytest.mark.parametrize("name", EMPTY)
def test_empty(name):
    shape, f = EMPTY[name]
    x = np.zeros(shape)
    found, expected = dt.pullback(f, x)[0], f(x)
    for y, z in zip(_pieces(found), _pieces(expected), strict=True):
        assert np.shape(y) == np.shape(z) and np.asarray(y).dtype == z.dtype
    for g in (dt.gradient(real_total(f), x), dt.pushforward(lambda y: dt.gradient(real_total(f), y), x, x)[1]):
        assert g.shape == shape


def test_results_are_the_named_tuples_of_numpy():
    x = positive(point((3, 3)))
    for f in (la.eigh, la.eig, la.svd, la.qr, la.slogdet):
        out = dt.pullback(lambda x, f=f: f(x), x)[0]
        assert type(out) is type(f(x))
        assert out._fields == f(x)._fields


def test_matrix_rank_is_plain():
    seen = []
    dt.gradient(lambda x: seen.append(la.matrix_rank(x)) or np.sum(x), point((3, 3)))
    assert seen == [3] and not isinstance(seen[0], dt.Var)


ERRORS = {
    "det of no square": (lambda x: la.det(x[:2]), la.LinAlgError),
    "det of a vector": (lambda x: la.det(x[0]), la.LinAlgError),
    "eigh of no square": (lambda x: la.eigh(x[:2]), la.LinAlgError),
    "eigh of an unknown triangle": (lambda x: la.eigh(x, "X"), ValueError),
    "eig of no square": (lambda x: la.eig(x[:2]), la.LinAlgError),
    "cholesky of what is not positive": (lambda x: la.cholesky(-x @ x.T), la.LinAlgError),
    "cholesky of no square": (lambda x: la.cholesky(x[:2]), la.LinAlgError),
    "svd of a vector": (lambda x: la.svd(x[0]), la.LinAlgError),
    "qr of a vector": (lambda x: la.qr(x[0]), la.LinAlgError),
    "qr of an unknown mode": (lambda x: la.qr(x, "nothing"), ValueError),
    "inverse power of a singular matrix": (lambda x: la.matrix_power(x * 0.0, -1), la.LinAlgError),
    "power of a broken number": (lambda x: la.matrix_power(x, 1.5), TypeError),
    "multi_dot of one": (lambda x: la.multi_dot([x]), ValueError),
    "multi_dot of a stack": (lambda x: la.multi_dot([x, x[None], x]), la.LinAlgError),
    "tensorinv of another size": (lambda x: la.tensorinv(x[:2], ind=1), la.LinAlgError),
    "tensorinv of no axes": (lambda x: la.tensorinv(x, ind=0), ValueError),
    "tensorsolve of another size": (lambda x: la.tensorsolve(x[:2], x[0]), (la.LinAlgError, ValueError)),
    "lstsq of a stack": (lambda x: la.lstsq(x[None], x[0]), la.LinAlgError),
    "lstsq of other lengths": (lambda x: la.lstsq(x, x[0, :2]), la.LinAlgError),
    "cross of two numbers": (lambda x: la.cross(x[:, :2], x[:, :2]), ValueError),
    "cond of nothing": (lambda x: la.cond(x[:0]), la.LinAlgError),
    "NaN": (lambda x: la.eigvals(x * np.nan), la.LinAlgError),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_are_those_of_numpy(name):
    f, error = ERRORS[name]
    x = point((3, 3))
    with pytest.raises(error):
        f(x.copy())
    for differentiate in (dt.gradient, lambda f, x: dt.pushforward(f, x, x), lambda f, x: dt.hvp(f, x, x)):
        with pytest.raises(error):
            differentiate(f, x)
