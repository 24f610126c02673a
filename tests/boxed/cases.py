"""Functions of arrays of the array API standard, with points to try them at."""

import numpy as np

RNG = np.random.default_rng(20)
V = RNG.uniform(0.2, 0.8, 5)
W = RNG.uniform(0.3, 0.9, 5)
M = RNG.uniform(-1, 1, (3, 4))
N = RNG.uniform(0.2, 0.9, (4, 2))
S = RNG.uniform(-1, 1, (3, 3)) + 2.5 * np.eye(3)
P = S @ S.T + np.eye(3)
T = RNG.uniform(-1, 1, (2, 3, 2))
B = np.stack([S, S.T + np.diag([0.3, -0.2, 0.1])])
Z = RNG.uniform(0.3, 0.9, 5) + 1j * RNG.uniform(0.2, 0.6, 5)
C = RNG.uniform(-1, 1, (3, 3)) + 1j * RNG.uniform(-1, 1, (3, 3)) + 2 * np.eye(3)

UNARY = """
acos acosh:1.5 asin asinh atan atanh conj cos cosh exp expm1 log log10 log1p log2 negative positive real reciprocal sin
sinh sqrt square tan tanh abs
"""
BINARY = "add atan2 copysign divide hypot logaddexp maximum minimum multiply pow remainder subtract"

# name: (function of the namespace and of arrays, points)
CASES = {}
for word in UNARY.split():
    name, _, start = word.partition(":")
    CASES[name] = (lambda xp, x, name=name: getattr(xp, name)(x), [V + float(start or 0)])
for name in BINARY.split():
    CASES[name] = (lambda xp, x, y, name=name: getattr(xp, name)(x, y), [V, W + 0.05])
    CASES[f"{name} broadcast"] = (lambda xp, x, y, name=name: getattr(xp, name)(x, y), [V[:3, None], W[:2] + 0.07])

CASES |= {
    "operators": (
        lambda xp, x, y: (2.0 * x + y - 1.5) / (y * y + 0.5) - x**3 + x**y + (-x) * +y + abs(x - 0.5),
        [V, W],
    ),
    "reflected operators": (lambda xp, x: (1.0 - x) / (2.0 / x) + 2.0**x + 1.7 % x, [V]),
    "clip": (lambda xp, x: xp.clip(x, 0.35, 0.6), [V]),
    "where": (lambda xp, x, y: xp.where(x > y, x * y, y - x), [V, W]),
    "constants": (lambda xp, x: xp.sign(x - 0.5) * x + xp.floor(3 * x) * x, [V]),
    "asarray": (lambda xp, x: xp.asarray(x) * xp.ones_like(x) + xp.zeros_like(x) + xp.full_like(x, 2.0) * x, [V]),
    "reshape": (lambda xp, x: xp.reshape(x, (2, -1)), [T]),
    "permute_dims": (lambda xp, x: xp.permute_dims(x, (2, 0, 1)), [T]),
    "matrix_transpose": (lambda xp, x: xp.matrix_transpose(x) + x.mT, [T]),
    "moveaxis": (lambda xp, x: xp.moveaxis(x, 0, -1), [T]),
    "expand_dims": (lambda xp, x: xp.expand_dims(x, axis=1), [M]),
    "squeeze": (lambda xp, x: xp.squeeze(x, axis=1), [M[:, None]]),
    "broadcast_to": (lambda xp, x: xp.broadcast_to(x, (3, 5)), [V]),
    "broadcast_arrays": (lambda xp, x, y: xp.multiply(*xp.broadcast_arrays(x, y)), [V[:3, None], W]),
    "concat": (lambda xp, x, y: xp.concat([x, y, x], axis=0), [V, W]),
    "concat flat": (lambda xp, x, y: xp.concat([x, y], axis=None), [M, N]),
    "stack": (lambda xp, x, y: xp.stack([x, y * 2.0], axis=1), [V, W]),
    "unstack": (lambda xp, x: xp.unstack(x, axis=1)[1] * xp.unstack(x)[0][0, :], [T]),
    "flip": (lambda xp, x: xp.flip(x, axis=1) + xp.flip(x), [T]),
    "roll": (lambda xp, x: xp.roll(x, (1, -2), axis=(0, 1)) + xp.roll(x, 3), [M]),
    "repeat": (lambda xp, x: xp.repeat(x, 3, axis=1), [M]),
    "repeat counts": (lambda xp, x: xp.repeat(x, xp.asarray([1, 0, 2, 1]), axis=1), [M]),
    "tile": (lambda xp, x: xp.tile(x, (2, 1, 3)), [M]),
    "astype": (lambda xp, x: xp.astype(x, xp.float32) * 2.0, [V]),
    "index": (lambda xp, x: x[1:, 0] * x[0, -1] + x[:, None, 1][1:, 0], [M]),
    "index negative steps": (lambda xp, x: x[::-1, ::2], [M]),
    "mask": (lambda xp, x: x[x > 0.0], [M]),
    "take": (lambda xp, x: xp.take(x, xp.asarray([2, 0, 2, 1]), axis=1), [M]),
    "take_along_axis": (lambda xp, x: xp.take_along_axis(x, xp.asarray([[0, 0], [3, 1], [2, 2]]), axis=1), [M]),
    "integer index": (lambda xp, x: x[xp.asarray([2, 0, 2]), xp.asarray([1, 1, 1])], [M]),
    "tril": (lambda xp, x: xp.tril(x) + xp.triu(x, k=1) * 2.0, [M]),
    "sum": (lambda xp, x: xp.sum(x, axis=1) + xp.sum(x), [M]),
    "sum keepdims": (lambda xp, x: xp.sum(x, axis=(0, 2), keepdims=True) * x, [T]),
    "mean": (lambda xp, x: xp.mean(x, axis=0) - xp.mean(x, keepdims=True)[0, :], [M]),
    "var": (lambda xp, x: xp.var(x, axis=0, correction=1), [M]),
    "std": (lambda xp, x: xp.std(x, axis=1), [M]),
    "max": (lambda xp, x: xp.max(x, axis=1) * xp.min(x), [M]),
    "prod": (lambda xp, x: xp.prod(x, axis=1), [M]),
    "prod with zeros": (lambda xp, x: xp.prod(x, axis=1), [M * (np.abs(M) > 0.4)]),
    "prod of two axes": (lambda xp, x: xp.prod(x, axis=(0, 2)), [T]),
    "cumulative_sum": (lambda xp, x: xp.cumulative_sum(x, axis=1, include_initial=True), [M]),
    "cumulative_prod": (lambda xp, x: xp.cumulative_prod(x, axis=1), [M]),
    "cumulative_prod with zeros": (lambda xp, x: xp.cumulative_prod(x, axis=0), [np.array([0.5, 0.0, 2.0, 0.0, 1.5])]),
    "sort": (lambda xp, x: xp.sort(x, axis=1, descending=True), [M]),
    "diff": (lambda xp, x: xp.diff(x, axis=1, n=2), [M]),
    "matmul": (lambda xp, x, y: x @ y, [M, N]),
    "matmul of vectors": (lambda xp, x, y: xp.matmul(x, y) * xp.matmul(x, xp.stack([y, y], axis=1)), [V, W]),
    "matmul of stacks": (lambda xp, x, y: xp.matmul(x, y), [B, S[None]]),
    "tensordot": (lambda xp, x, y: xp.tensordot(x, y, axes=((1, 0), (0, 1))), [T, np.moveaxis(T, 0, 2)]),
    "vecdot": (lambda xp, x, y: xp.vecdot(x, y), [M, M + 0.3]),
    "outer": (lambda xp, x, y: xp.linalg.outer(x, y), [V, W]),
    "cross": (lambda xp, x, y: xp.linalg.cross(x, y), [S, P]),
    "trace": (lambda xp, x: xp.linalg.trace(x), [B]),
    "diagonal": (lambda xp, x: xp.linalg.diagonal(x, offset=1), [M]),
    "det": (lambda xp, x: xp.linalg.det(x), [B]),
    "slogdet": (lambda xp, x: xp.linalg.slogdet(x)[1], [B]),
    "inv": (lambda xp, x: xp.linalg.inv(x), [B]),
    "solve": (lambda xp, a, b: xp.linalg.solve(a, b), [S, M]),
    "solve vector": (lambda xp, a, b: xp.linalg.solve(a, b), [S, V[:3]]),
    "cholesky": (lambda xp, x: xp.linalg.cholesky(x), [P]),
    "cholesky upper": (lambda xp, x: xp.linalg.cholesky(x @ x.mT, upper=True), [S]),
    "eigh": (lambda xp, x: (lambda w, v: (v * xp.exp(w)) @ v.mT)(*xp.linalg.eigh(x @ x.mT)), [S]),
    "eigvalsh": (lambda xp, x: xp.linalg.eigvalsh(x + x.mT), [S]),
    "svd": (lambda xp, x: (lambda u, s, v: (u * (s * s)) @ v)(*xp.linalg.svd(x, full_matrices=False)), [M]),
    "svd tall": (lambda xp, x: (lambda u, s, v: (u * xp.sin(s)) @ v)(*xp.linalg.svd(x, full_matrices=False)), [M.T]),
    "svdvals": (lambda xp, x: xp.linalg.svdvals(x), [M]),
    "qr": (lambda xp, x: (lambda q, r: q @ (r * r))(*xp.linalg.qr(x)), [M.T]),
    "pinv": (lambda xp, x: xp.linalg.pinv(x), [M]),
    "matrix_power": (lambda xp, x: xp.linalg.matrix_power(x, 3) + xp.linalg.matrix_power(x, -2), [S]),
    "vector_norm": (lambda xp, x: xp.linalg.vector_norm(x, axis=1) + xp.linalg.vector_norm(x, ord=3), [M]),
    "matrix_norm": (lambda xp, x: xp.linalg.matrix_norm(x) + xp.linalg.matrix_norm(x, ord="nuc"), [M]),
    "fft": (lambda xp, x: xp.abs(xp.fft.fft(xp.astype(x, xp.complex128), n=7)), [V]),
    "rfft": (lambda xp, x: xp.abs(xp.fft.rfft(x, norm="ortho")), [V]),
    "irfft": (lambda xp, x: xp.fft.irfft(xp.fft.rfft(x) * (1 + 2j), n=5), [V]),
    "fftn": (lambda xp, x: xp.real(xp.fft.ifftn(xp.fft.fftn(xp.astype(x, xp.complex128)) ** 2)), [M]),
    "hfft": (lambda xp, x: xp.fft.hfft(xp.astype(x, xp.complex128) * (1 + 1j), n=8), [V]),
    "ihfft": (lambda xp, x: xp.abs(xp.fft.ihfft(x)), [V]),
    "fftshift": (lambda xp, x: xp.fft.fftshift(x) + 2.0 * xp.fft.ifftshift(x), [V]),
    "rfftn": (lambda xp, x: xp.fft.irfftn(xp.fft.rfftn(x, s=(4, 4), axes=(0, 1)) ** 2, axes=(0, 1)), [M]),
    "ifft": (lambda xp, x: xp.imag(xp.fft.ifft(xp.fft.fft(xp.astype(x, xp.complex128) * (1 + 2j)) ** 2)), [V]),
    "meshgrid": (lambda xp, x, y: xp.multiply(*xp.meshgrid(x, y, indexing="ij")), [V, W]),
    "empty_like": (lambda xp, x: 0.0 * xp.where(x > 2.0, xp.empty_like(x), 1.0) + x * x, [V]),
    "steps": (lambda xp, x: (xp.ceil(4 * x) + xp.round(4 * x) - xp.trunc(3 * x) + xp.floor_divide(x, 0.3)) * x, [V]),
    "unique": (
        lambda xp, x: (
            xp.unique_values(x) * xp.unique_all(x).values ** 2
            + xp.unique_counts(x).values * xp.unique_inverse(x).values
        ),
        [np.concatenate([V, W[:2]])],
    ),
    "fields": (
        lambda xp, x: (
            xp.linalg.eigh(x @ x.mT).eigenvalues
            + xp.linalg.svd(x).S
            + xp.linalg.diagonal(xp.linalg.qr(x).R)
            + xp.linalg.slogdet(x).logabsdet
        ),
        [S],
    ),
    "functions of linalg": (
        lambda xp, x, y: (
            xp.linalg.matmul(x, xp.linalg.matrix_transpose(x)) * xp.linalg.vecdot(y, y)
            + xp.linalg.tensordot(y, x, axes=1) * xp.linalg.matrix_norm(x, ord=1, keepdims=True)
        ),
        [S, V[:3]],
    ),
    "solve of a stack": (lambda xp, a, b: xp.linalg.solve(a, b), [B, V[:3]]),
    "pinv of rank one": (lambda xp, x, y: xp.linalg.pinv(xp.linalg.outer(x, y)), [V[:3], W[:4]]),
}

# Functions of complex numbers, differentiated through their real and imaginary parts.
COMPLEX = {
    "exp": (lambda xp, z: xp.exp(z) * z - 1 / z, [Z]),
    "abs": (lambda xp, z: xp.abs(z) * z, [Z]),
    "parts": (lambda xp, z: xp.real(z) * xp.imag(z) + xp.conj(z), [Z]),
    "power": (lambda xp, z: z**3 + xp.sqrt(z) + xp.log(z), [Z]),
    "matmul": (lambda xp, z: z @ xp.conj(z).mT @ z, [C]),
    "inv": (lambda xp, z: xp.linalg.inv(z), [C]),
    "det": (lambda xp, z: xp.linalg.det(z), [C]),
    "slogdet": (lambda xp, z: xp.linalg.slogdet(z)[1], [C]),
    "solve": (lambda xp, z: xp.linalg.solve(z, z @ z), [C]),
    "cholesky": (lambda xp, z: xp.linalg.cholesky(z @ xp.conj(z).mT), [C]),
    "eigh": (
        lambda xp, z: (lambda w, v: (v * xp.exp(0.1 * w)) @ xp.conj(v).mT)(*xp.linalg.eigh(z @ xp.conj(z).mT)),
        [C],
    ),
    "svd": (lambda xp, z: (lambda u, s, v: (u * xp.sin(s)) @ v)(*xp.linalg.svd(z, full_matrices=False)), [C]),
    "qr": (lambda xp, z: (lambda q, r: q @ xp.triu(r * r))(*xp.linalg.qr(z)), [C]),
    "prod": (lambda xp, z: xp.prod(z) + xp.cumulative_prod(z), [Z]),
    "fft": (lambda xp, z: xp.fft.fft(z) * z, [Z]),
    "vecdot": (lambda xp, z: xp.vecdot(z, z * z), [Z]),
}
