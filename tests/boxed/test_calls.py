"""NumPy's functions by name, with NumPy's own parameters, on arrays of the standard: as on NumPy's arrays."""

import numpy as np
import pytest

import dualtape as dt

xp = pytest.importorskip("array_api_strict")
pytestmark = pytest.mark.filterwarnings("ignore")

RNG = np.random.default_rng(0)
M = RNG.normal(size=(3, 4))
S = RNG.normal(size=(3, 3)) + 3 * np.eye(3)
T = RNG.normal(size=(2, 3, 4))
B = RNG.normal(size=(2, 3, 3)) + 3 * np.eye(3)
Z = RNG.normal(size=(3, 3)) + 1j * RNG.normal(size=(3, 3))

CALLS = [
    (lambda x: np.diff(x, 2), M),
    (lambda x: np.diff(x, 1, 0), M),
    (lambda x: np.diff(x, axis=1, prepend=x[:, :1] * 2.0), M),
    (lambda x: np.trace(x), T),
    (lambda x: np.trace(x, 1, 2, 0), T),
    (lambda x: np.diagonal(x, 1, 1, 2), T),
    (lambda x: np.sum(x, 1, keepdims=True), M),
    (lambda x: np.sum(x, 1, None, None, True), M),
    (lambda x: np.mean(x, (0, 2)), T),
    (lambda x: np.var(x, 0, ddof=1), M),
    (lambda x: np.var(x, axis=1, correction=1), M),
    (lambda x: np.std(x, 1, None, None, 1), M),
    (lambda x: np.max(x, 0, None, True), M),
    (lambda x: np.cumsum(x), M),
    (lambda x: np.cumprod(x, 1), M),
    (lambda x: np.prod(x, axis=0), M),
    (lambda x: np.sort(x, 0), M),
    (lambda x: np.sort(x, axis=None), M),
    (lambda x: np.clip(x, -0.5, 0.5), M),
    (lambda x: np.clip(x, a_min=-0.5, a_max=None), M),
    (lambda x: np.clip(x, min=x[0, ...], max=0.9), M),
    (lambda x: np.concatenate([x, x * 2.0], 1), M),
    (lambda x: np.concatenate((x, x * 2.0), axis=None), M),
    (lambda x: np.stack([x, x * 2.0], -1), M),
    (lambda x: np.stack([x, x * 2.0], axis=1), M),
    (lambda x: np.hstack([x, x * 2.0]), M),
    (lambda x: np.vstack([x[0, ...], x * 2.0]), M),
    (lambda x: np.roll(x, (1, -1), (0, 1)) * np.roll(x, 2), M),
    (lambda x: np.roll(x, 1, axis=(0, 1)) * x, M),
    (lambda x: np.repeat(x, 2), M),
    (lambda x: np.repeat(x, 2, 1), M),
    (lambda x: np.tile(x, (2, 1)), M),
    (lambda x: np.tile(x, 2), M),
    (lambda x: np.moveaxis(x, 0, -1), T),
    (lambda x: np.moveaxis(x, [0, 1], [1, 2]), T),
    (lambda x: np.swapaxes(x, 0, 2), T),
    (lambda x: np.expand_dims(x, (0, 2)), M),
    (lambda x: np.squeeze(x[:, :1]), M),
    (lambda x: np.squeeze(x[:, :1], axis=1), M),
    (lambda x: np.split(x, 2, 1)[1], M),
    (lambda x: np.split(x, [1, 3], axis=1)[1], M),
    (lambda x: np.take(x, 1, axis=0), M),
    (lambda x: np.take(x, -2), M),
    (lambda x: np.dot(x, x.T), M),
    (lambda x: np.inner(x, x), M),
    (lambda x: np.outer(x, x), M),
    (lambda x: np.kron(x[0, ...], x[1, ...]), M),
    (lambda x: np.kron(x[0, ...], x), M),
    (lambda x: np.vdot(x, x * x).reshape(1), M),
    (lambda x: np.cross(x[:, :3], x[:, 1:]), M),
    (lambda x: np.tensordot(x, x, ([1, 2], [1, 2])), T),
    (lambda x: np.tensordot(x, x, 0), M),
    (lambda x: np.average(x, axis=1, weights=x[0, ...]), np.abs(M)),
    (lambda x: np.average(x, 1), M),
    (lambda x: np.linalg.norm(x), M),
    (lambda x: np.linalg.norm(x, axis=1), M),
    (lambda x: np.linalg.norm(x, 3, 1, True), M),
    (lambda x: np.linalg.norm(x, 2), M),
    (lambda x: np.linalg.norm(x, "nuc", axis=(1, 2)), T),
    (lambda x: np.linalg.norm(x, "fro", axis=(2, 0), keepdims=True), T),
    (lambda x: np.linalg.norm(x, -1, axis=(0, 2)), T),
    (lambda x: np.linalg.norm(x, np.inf), M),
    (lambda x: np.linalg.norm(x[0, ...], -np.inf), M),
    (lambda x: np.linalg.solve(x, x[0, 0, ...]), B),
    (lambda x: np.linalg.solve(x, x[:1, ...]), B),
    (lambda x: np.linalg.solve(x[0, ...], x), B),
    (lambda x: np.linalg.inv(x), B),
    (lambda x: np.linalg.det(x), B),
    (lambda x: np.linalg.slogdet(x).logabsdet, B),
    (lambda x: np.linalg.pinv(x), M.T),
    (lambda x: np.linalg.pinv(x), np.outer([1.0, 2, 3], [1.0, -1, 2, 0.5])),
    (lambda x: np.linalg.pinv(x), T),
    (lambda x: np.linalg.cholesky(x @ x.mT), B),
    (lambda x: np.linalg.cholesky(x), S @ S.T),
    (lambda x: np.linalg.eigh(x).eigenvalues, S + S.T),
    (lambda x: np.linalg.eigh(x).eigenvectors ** 2, S + S.T),
    (lambda x: np.linalg.eigvalsh(x), S),
    (lambda x: np.linalg.svd(x, False).S, M),
    (lambda x: np.linalg.svd(x, False).U ** 2, M),
    (lambda x: np.linalg.svd(x, full_matrices=False)[2] ** 2, M),
    (lambda x: np.linalg.qr(x).Q, M.T),
    (lambda x: np.linalg.qr(x)[1], S),
    (lambda x: np.linalg.matrix_power(x, 5), S * 0.3),
    (lambda x: np.linalg.matrix_power(x, 0) @ x, S),
    (lambda x: x @ x[0, 0, ...], B),
    (lambda x: x[0, 0, ...] @ x, B),
    (lambda x: x[:, None, ...] @ x[None, ...], B),
    (lambda x: np.matmul(x, x), B),
    (lambda x: np.fft.fft(x, 6), M),
    (lambda x: np.fft.fft(x, 2, 0, "ortho"), M),
    (lambda x: np.fft.ifft(x, norm="forward"), M),
    (lambda x: np.fft.rfft(x, 5), M),
    (lambda x: np.fft.rfft(x), M),
    (lambda x: np.fft.irfft(x), Z),
    (lambda x: np.fft.irfft(x, 5, axis=0, norm="ortho"), Z),
    (lambda x: np.fft.irfft(x, 2), Z),
    (lambda x: np.fft.rfftn(x, (4, 3), (2, 0)), T),
    (lambda x: np.fft.irfftn(x, (4, 3), (0, 1)), Z),
    (lambda x: np.fft.irfftn(x), Z),
    (lambda x: np.fft.fftn(x, s=(2, 5), axes=(0, 1)), Z),
    (lambda x: np.fft.hfft(x), Z),
    (lambda x: np.fft.hfft(x, 5, norm="forward"), Z),
    (lambda x: np.fft.ihfft(x, 5, norm="ortho"), M),
    (lambda x: np.fft.fftshift(x) * x, M),
    (lambda x: np.fft.ifftshift(x, 1) * x, M),
    (lambda x: np.fft.fft2(x), M),
    (lambda x: np.fft.irfft(x), M),
    (lambda x: np.meshgrid(x[0, ...], x[1, :3])[0] * np.meshgrid(x[0, ...], x[1, :3])[1], M),
    (lambda x: np.meshgrid(x[0, ...], x[1, :3], indexing="ij")[0], M),
    (lambda x: np.ravel(x) * np.reshape(x, -1), M),
    (lambda x: np.reshape(x, (2, -1)), M),
    (lambda x: np.transpose(x, (1, 0, 2)), T),
    (lambda x: np.permute_dims(x, (1, 0, 2)), T),
    (lambda x: np.flip(x, 1) * np.flip(x, (0, 1)) * np.flip(x), M),
    (lambda x: np.tril(x, -1) + 2 * np.triu(x), T),
    (lambda x: np.broadcast_to(x, (2, 3, 4)), M),
    (lambda x: np.atleast_3d(x), M),
    (lambda x: np.atleast_3d(x[0, ...]) * np.atleast_2d(x[0, ...]), M),
    (lambda x: np.take(x, [0, 2, 0], 0), M),
    (lambda x: x[[0, -1], [1, -1]], M),
    (lambda x: x[:, None, 1, None], M),
    (lambda x: x[..., 1] * x[..., None, 0, 0], T),
    (lambda x: np.ones_like(x) * x + np.zeros_like(x), M),
    (lambda x: np.full_like(x, 2.0) * x, M),
    (lambda x: np.copy(x), M),
    (lambda x: np.where(x[:, :1] > 0, x[0, ...], x[1, 2]), M),
    (lambda x: x ** (2 + 1j), Z),
    (lambda x: x**x, Z),
    (lambda x: 2.0**x, Z),
    (lambda x: np.sqrt(x), Z),
    (lambda x: np.log(x), Z),
    (lambda x: np.tan(x), Z),
    (lambda x: np.sinh(x) * np.tanh(x), Z),
    (lambda x: np.arcsin(x) + np.arccos(x) * np.arctan(x), Z),
    (lambda x: np.arcsinh(x) + np.arccosh(x) * np.arctanh(x), Z),
    (lambda x: np.log1p(x) + np.expm1(x) + np.log10(x) + np.log2(x), Z),
    (lambda x: np.abs(x), Z),
    (lambda x: np.sign(x), Z),
    (lambda x: np.var(x, 0), Z),
    (lambda x: np.std(x), Z),
    (lambda x: np.linalg.norm(x), Z),
    (lambda x: np.linalg.norm(x, 1, axis=0), Z),
    (lambda x: np.linalg.norm(x, 2), Z),
    (lambda x: x * x.real, Z),
    (lambda x: np.sum(x, 0), Z),
    (lambda x: np.linalg.det(x), Z),
    (lambda x: np.linalg.slogdet(x).sign, Z),
    (lambda x: np.linalg.slogdet(x).logabsdet, Z),
    (lambda x: np.linalg.inv(x), Z),
    (lambda x: np.linalg.solve(x, x[0, ...]), Z),
    (lambda x: np.linalg.pinv(x), Z[:, :2]),
    (lambda x: np.linalg.eigvalsh(x), Z),
    (lambda x: np.linalg.svd(x).S, Z),
    (lambda x: np.linalg.qr(x).R, Z),
    (lambda x: np.linalg.cholesky(x), Z @ Z.conj().T),
    (lambda x: np.prod(x, 0), Z),
    (lambda x: np.cumprod(x, 1), Z),
    (lambda x: np.vdot(x, x * x).reshape(1), Z),
    (lambda x: np.vecdot(x, x * x), Z),
    (lambda x: x @ x.conj(), Z),
    (lambda x: np.reciprocal(x) + 1 / x, Z),
    (lambda x: x.real / x, Z),
    (lambda x: np.trace(x).reshape(1), Z),
    (lambda x: np.round(x.real) * x, Z),
    (lambda x: np.mean(x, 1), Z),
    (lambda x: np.square(x) + x**2 + x**3 + x ** (-1), Z),
]


def host(x):
    return x if isinstance(x, (float, np.ndarray)) else np.from_dlpack(x)


def total(y):
    """A real number of all elements."""
    y = y.reshape(-1)
    if y.dtype in (np.complex128, xp.complex128):
        return (y * y).real.sum() * 0.7 + (y * y * (1 + 0.5j)).imag.sum()
    return (y * y * y * 0.3 + y).sum()


@pytest.mark.parametrize("k", range(len(CALLS)))
def test_call(k):
    call, point = CALLS[k]
    value, ours = dt.value_and_gradient(lambda x: total(call(x)), xp.asarray(point))
    plain, expected = dt.value_and_gradient(lambda x: total(call(x)), point)
    assert float(value) == pytest.approx(plain, rel=1e-12)
    assert host(ours).dtype == expected.dtype
    np.testing.assert_allclose(host(ours), expected, rtol=1e-10, atol=1e-10)


SINGULAR = [
    np.arange(1.0, 10.0).reshape(3, 3), np.zeros((3, 3)), np.outer([1.0, 2.0, 3.0], [3.0, 1.0, 2.0]),
    np.stack([S, np.ones((3, 3))]), np.outer([1 + 1j, 2.0], [3.0, 1 - 2j]).real, np.zeros((1, 1)),
]  # fmt: skip


@pytest.mark.parametrize("point", SINGULAR)
def test_determinants_of_singular_matrices(point):
    def f(x):
        return total(np.linalg.det(x))

    for operator in (dt.gradient, dt.hessian):
        np.testing.assert_allclose(host(operator(f)(xp.asarray(point))), operator(f)(point), rtol=1e-9, atol=1e-9)


UNARY = """
sqrt exp log sin cos tan sinh cosh tanh arcsin arccos arctan arcsinh arccosh arctanh log1p expm1 log10 log2 square
reciprocal negative positive conj absolute sign exp2
""".split()


@pytest.mark.parametrize("name", UNARY)
def test_complex_functions(name):
    f, c, h = getattr(np, name), 1 - 0.7j, 1e-5
    points = np.concatenate([Z.ravel() * 1.5, [1.5 - 2j, -2.0 + 0.3j, 0.1 + 3j, -0.4 - 0.2j]])
    slopes = [
        sum(s * ((f(points + s * h * u) * c).real / (2 * h)) for s in (1, -1)) * u for u in (1.0, 1j)
    ]  # d/dx + i d/dy
    ours = host(dt.gradient(lambda z: (f(z) * c).real.sum())(xp.asarray(points)))
    np.testing.assert_allclose(ours, slopes[0] + slopes[1], rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("exponent", [2 + 1j, 0.5, 3, -1, 0])
def test_complex_powers(exponent):
    for f in (lambda z: (z**exponent).real.sum(), lambda z: (2.0**z + z**z).imag.sum()):
        ours = host(dt.gradient(f)(xp.asarray(Z)))
        np.testing.assert_allclose(ours, dt.gradient(f)(Z), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: np.sort(x, order="name"), lambda x: np.sum(x, where=np.array(True)),
        lambda x: np.prod(x, initial=2.0),
        lambda x: np.linalg.svd(x, compute_uv=False), lambda x: np.linalg.eigvalsh(x, UPLO="U"),
        lambda x: np.linalg.eigvals(x), lambda x: np.nextafter(x, 1.0), lambda x: np.histogram(x),
        lambda x: np.bincount(np.array([0]), weights=x), lambda x: np.add.reduce(x), lambda x: np.median(x),
        lambda x: np.unique(x), lambda x: np.add(x, x, where=np.array(True)),
    ],
)  # fmt: skip
def test_what_has_no_rule_says_so(call):
    with pytest.raises(dt.NoRuleError, match=r"no derivative rule|takes no"):
        dt.gradient(lambda x: total(call(x)))(xp.asarray(S))


def test_complex_tanh_far_from_zero():
    points = np.array([400 + 1j, -800.0 + 2j, 20.0 - 3j, -30.0 + 1j])
    ours = host(dt.gradient(lambda z: np.tanh(z).sum().real)(xp.asarray(points)))
    # 4 exp(-2 |x|) exp(-2 i s y) conjugated, to the last digits that the others have
    s = np.sign(points.real)
    np.testing.assert_allclose(ours, 4.0 * np.conj(np.exp(-2.0 * s * points)), rtol=1e-13)
