"""The first set of array functions, in every mode, for every kind of shape, memory layout and dtype."""

import contextlib
import operator

import numpy as np
import pytest

import dualtape as dt
from arrays.random_programs import check, close, contract, difference_gradient, step_gradient, weights

I3 = np.eye(3)
C23, C3, C32 = weights((2, 3), 7), weights((3,), 8), weights((3, 2), 9)
MASK = np.array([[True, False, True], [False, True, True]])

# Each function of one array with the shape of that array. All take complex steps.
HOLOMORPHIC = {
    "sum": ((2, 3), lambda x: np.sum(x)),
    "sum axis": ((2, 3), lambda x: np.sum(x, axis=0)),
    "sum axis keepdims": ((2, 3), lambda x: np.sum(x, axis=-1, keepdims=True)),
    "sum axes": ((2, 3, 2), lambda x: np.sum(x, axis=(0, -1))),
    "sum no axes": ((2, 3), lambda x: np.sum(x, axis=())),
    "sum where initial": ((2, 3), lambda x: np.sum(x, axis=1, where=MASK, initial=2.0)),
    "mean": ((2, 3), lambda x: np.mean(x)),
    "mean axis": ((2, 3), lambda x: np.mean(x, axis=1)),
    "mean axes keepdims": ((2, 3, 2), lambda x: np.mean(x, axis=(0, 2), keepdims=True)),
    "mean where": ((2, 3), lambda x: np.mean(x, axis=1, where=MASK)),
    "prod": ((2, 3), lambda x: np.prod(x)),
    "prod axis": ((2, 3), lambda x: np.prod(x, axis=0)),
    "prod keepdims": ((2, 3), lambda x: np.prod(x, axis=1, keepdims=True)),
    "prod axes": ((2, 3, 2), lambda x: np.prod(x, axis=(0, 2))),
    "cumsum": ((2, 3), lambda x: np.cumsum(x)),
    "cumsum axis": ((2, 3), lambda x: np.cumsum(x, axis=0)),
    "dot of vectors": ((2, 3), lambda x: np.dot(x[0], x[1])),
    "dot with itself": ((4,), lambda x: np.dot(x, x)),
    "dot matrix vector": ((2, 3), lambda x: np.dot(x, x[0])),
    "dot vector matrix": ((2, 3), lambda x: np.dot(x[:, 0], x)),
    "dot matrices": ((2, 3), lambda x: np.dot(x, x.T)),
    "dot with a number": ((2, 3), lambda x: np.dot(x, 3.0)),
    "dot with a scalar": ((2, 3), lambda x: np.dot(x[0, 0], x)),
    "dot of stacks": ((2, 2, 3), lambda x: np.dot(x, x[0].T)),
    "dot with plain": ((2, 3), lambda x: np.dot(C32, x)),
    "plain dot method": ((2, 3), lambda x: x.dot(C3)),
    "matmul vectors": ((2, 3), lambda x: np.matmul(x[0], x[1])),
    "matmul matrices": ((2, 3), lambda x: x @ x.T),
    "matmul matrix vector": ((2, 3), lambda x: x @ x[1]),
    "matmul vector matrix": ((2, 3), lambda x: x[:, 1] @ x),
    "matmul stacks": ((2, 2, 3), lambda x: x @ x.mT),
    "matmul broadcast stacks": ((2, 1, 2, 2), lambda x: x @ x[:, 0]),
    "matmul stack vector": ((2, 3, 3), lambda x: x @ x[0, 0]),
    "matmul vector stack": ((2, 3, 3), lambda x: x[0, 0] @ x),
    "matmul plain left": ((2, 3), lambda x: C32 @ x),
    "matmul plain right": ((2, 3), lambda x: x @ C32),
    "einsum product": ((2, 3), lambda x: np.einsum("ij,kj->ik", x, x)),
    "einsum implicit": ((2, 3), lambda x: np.einsum("ij,kj", x, x * x)),
    "einsum one operand": ((2, 3), lambda x: np.einsum("ij->ji", x)),
    "einsum sum": ((2, 3), lambda x: np.einsum("ij->", x)),
    "einsum row sums": ((2, 3), lambda x: np.einsum("ij->i", x)),
    "einsum trace": ((3, 3), lambda x: np.einsum("ii", x)),
    "einsum diagonal": ((3, 3), lambda x: np.einsum("ii->i", x)),
    "einsum diagonal of a product": ((3, 3), lambda x: np.einsum("ii,ij->j", x, x)),
    "einsum three operands": ((2, 3), lambda x: np.einsum("ij,kj,k->i", x, x, x[:, 0])),
    "einsum Ellipsis": ((2, 2, 3), lambda x: np.einsum("...ij,...kj->...ik", x, x[0])),
    "einsum that broadcasts": ((2, 3), lambda x: np.einsum("ij,ij->j", x, x[:1])),
    "einsum that broadcasts a sum": ((1, 4), lambda x: np.einsum("ij,kj", x, np.ones((2, 1)) * x[0, 0])),
    "einsum outer": ((3,), lambda x: np.einsum("i,j->ij", x, C3)),
    "einsum optimize": ((2, 3), lambda x: np.einsum("ij,kj,k->i", x, C23, x[:, 1], optimize=True)),
    "einsum sublists": ((2, 3), lambda x: np.einsum(x, [0, 1], x, [2, 1], [0, 2])),
    "outer": ((4,), lambda x: np.outer(x, x[1:])),
    "outer of matrices": ((2, 2), lambda x: np.outer(x, C3)),
    "concatenate": ((2, 3), lambda x: np.concatenate([x, x[:1] * 2.0])),
    "concatenate axis": ((2, 3), lambda x: np.concatenate((x, C23, x[:, :1]), axis=1)),
    "concatenate None": ((2, 3), lambda x: np.concatenate([x, C3], axis=None)),
    "stack": ((2, 3), lambda x: np.stack([x, C23, x * x])),
    "stack axis": ((2, 3), lambda x: np.stack([x, x * x], axis=-1)),
    "where": ((2, 3), lambda x: np.where(MASK, x, x * x)),
    "where broadcast": ((2, 3), lambda x: np.where(MASK, x[0], x[:, :1])),
    "where plain": ((2, 3), lambda x: np.where(MASK, 1.5, x)),
    "where plain mask of rows": ((2, 3), lambda x: np.where(MASK[:, :1], x, C23)),
    "reshape": ((2, 3), lambda x: np.reshape(x, (3, 2))),
    "reshape unknown": ((2, 3), lambda x: x.reshape(-1, 2)),
    "reshape Fortran": ((2, 3), lambda x: x.reshape((3, 2), order="F")),
    "transpose": ((2, 3), lambda x: np.transpose(x)),
    "transpose axes": ((2, 3, 2), lambda x: np.transpose(x, (2, 0, 1))),
    "ravel": ((2, 3), lambda x: np.ravel(x)),
    "ravel Fortran": ((2, 3), lambda x: np.ravel(x, order="F")),
    "solve vector": ((3, 4), lambda x: np.linalg.solve(x[:, :3] + 4 * I3, x[:, 3])),
    "solve matrix": ((3, 5), lambda x: np.linalg.solve(x[:, :3] + 4 * I3, x[:, 3:])),
    "solve plain matrix": ((3,), lambda x: np.linalg.solve(4 * I3 + weights((3, 3)), x)),
    "solve plain right side": ((3, 3), lambda x: np.linalg.solve(4 * I3 + x, C3)),
    "solve stacks": ((2, 3, 3), lambda x: np.linalg.solve(4 * I3 + x, x[0])),
    "inv": ((3, 3), lambda x: np.linalg.inv(4 * I3 + x)),
    "inv of stacks": ((2, 2, 2), lambda x: np.linalg.inv(4 * np.eye(2) + x)),
    "add": ((2, 3), lambda x: x + x[0] + 1.0 + C3),
    "subtract": ((2, 3), lambda x: (1.0 - x) - (x - x[:, :1]) - (C23 - x)),
    "multiply": ((2, 3), lambda x: 2.0 * x * x[1] * C3 * x[0, 0]),
    "divide": ((2, 3), lambda x: x / (3.0 + x[0]) + 1.0 / (x + 4.0) + C3 / (x + 3.0)),
    "power": ((2, 3), lambda x: x**2 + (x + 3.0) ** x[0] + 2.0**x + (2.0 + C3) ** x + x**3.0 + (x + 3) ** -0.5),
    "broadcast outer": ((2, 3), lambda x: x[:, None, :] * x[None]),
    "broadcast scalars": ((2, 3), lambda x: x * x[1, 1] + x[0, 2]),
    "negative and positive": ((2, 3), lambda x: -x * +x),
    "elementwise": ((2, 3), lambda x: np.exp(np.sin(x)) * np.cos(x) + np.sqrt(x + 3) + np.log(x + 2)),
}

# As above; the second function takes the complex step where the first one does not.
REAL = {
    "max": ((2, 3), lambda x: np.max(x), None),
    "max axis": ((2, 3), lambda x: np.max(x, axis=1), None),
    "max keepdims": ((2, 3), lambda x: np.max(x, axis=0, keepdims=True), None),
    "max axes": ((2, 3, 2), lambda x: np.max(x, axis=(0, 2)), None),
    "max initial": ((2, 3), lambda x: np.max(x, axis=1, initial=0.1), None),
    "min": ((2, 3), lambda x: np.min(x), None),
    "min axis": ((2, 3), lambda x: np.min(x, axis=-1, keepdims=True), None),
    "clip": ((2, 3), lambda x: np.clip(x, -0.5, 0.6), None),
    "clip traced bounds": ((2, 3), lambda x: np.clip(x, -0.3, x[0] + 0.01), None),
    "clip one side": ((2, 3), lambda x: np.clip(x, None, 0.4) * np.clip(x, 0.1, None), None),
    "maximum": ((2, 3), lambda x: np.maximum(x, x[0, 0] * C3), None),
    "minimum": ((2, 3), lambda x: np.minimum(x, 0.2) * np.fmin(C3, x), None),
    "remainder": ((2, 3), lambda x: x % 0.7, lambda x: x - np.floor(x.real / 0.7) * 0.7),
    "remainder by a traced array": (
        (3,),
        lambda x: 4.5 % (x + 2.0),
        lambda x: 4.5 - np.floor((4.5 / (x + 2)).real) * (x + 2),
    ),
    "floor division": ((2, 3), lambda x: (x // 0.3) * x, lambda x: np.floor(x.real / 0.3) * x),
    "absolute": ((2, 3), lambda x: abs(x) + np.abs(x) * x, lambda x: np.sign(x.real) * (x + x * x)),
    "where of a comparison": ((2, 3), lambda x: np.where(x > 0.1, x * x, np.sin(x)), None),
    "norm": ((2, 3), lambda x: np.linalg.norm(x), lambda x: np.sqrt(np.sum(x * x))),
    "norm of a vector": ((4,), lambda x: np.linalg.norm(x, 2), lambda x: np.sqrt(np.sum(x * x))),
    "norm axis": ((2, 3), lambda x: np.linalg.norm(x, axis=1), lambda x: np.sqrt(np.sum(x * x, axis=1))),
    "norm keepdims": (
        (2, 3),
        lambda x: np.linalg.norm(x, axis=0, keepdims=True),
        lambda x: np.sqrt(np.sum(x * x, axis=0, keepdims=True)),
    ),
    "norm fro": ((2, 3), lambda x: np.linalg.norm(x, "fro"), lambda x: np.sqrt(np.sum(x * x))),
    "norm 1": ((4,), lambda x: np.linalg.norm(x, 1), lambda x: np.sum(np.sign(x.real) * x)),
    "norm inf": ((4,), lambda x: np.linalg.norm(x, np.inf), lambda x: np.max(np.sign(x.real) * x)),
    "norm 3": ((4,), lambda x: np.linalg.norm(x, 3), lambda x: np.sum((np.sign(x.real) * x) ** 3) ** (1 / 3)),
}

CASES = {name: (shape, f, f) for name, (shape, f) in HOLOMORPHIC.items()}
CASES |= {name: (shape, f, reference or f) for name, (shape, f, reference) in REAL.items()}

LAYOUTS = {
    "Fortran": np.asfortranarray,
    "every second": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "reversed": lambda x: x[..., ::-1].copy()[..., ::-1],
    "transposed": lambda x: x.T.copy().T,
    "read-only": lambda x: np.broadcast_to(x, x.shape),
}


def point(shape):
    """Numbers in (-1, 1) without ties, away from the bounds in the table."""
    return 0.95 * weights(shape, 0.3)


@pytest.mark.parametrize("name", CASES)
def test_every_mode(name):
    shape, f, reference = CASES[name]
    check(f, point(shape), reference=reference)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", CASES)
def test_layouts(name, layout):
    shape, f, reference = CASES[name]
    x = LAYOUTS[layout](point(shape))
    expected, v = step_gradient(contract(reference), x), weights(shape, 5)
    close(dt.gradient(contract(f), x), expected, 1e-11)
    # The same layout inside of f, whatever happens to inputs.
    close(
        dt.gradient(lambda x: contract(f)(LAYOUTS["reversed"](x) if "rev" in layout else x.T.copy().T), x),
        expected,
        1e-11,
    )
    close(dt.pushforward(contract(f), x, v)[1], np.sum(expected * v), 1e-11)


@pytest.mark.parametrize("name", CASES)
def test_float32(name):
    shape, f, reference = CASES[name]
    x = point(shape).astype(np.float32)
    out, back = dt.pullback(f, x)
    plain = f(x.copy())
    assert np.asarray(out).dtype == plain.dtype and np.shape(out) == np.shape(plain)
    np.testing.assert_allclose(out, plain, rtol=1e-5, atol=1e-5)
    bar = np.asarray(weights(np.shape(plain)), dtype=plain.dtype)
    slope = back(bar)
    expected = step_gradient(lambda z: np.sum(bar * reference(z)), x)
    assert slope.dtype == np.float32
    np.testing.assert_allclose(slope, expected, rtol=2e-4, atol=2e-4)
    tangent = dt.pushforward(f, x, weights(shape).astype(np.float32))[1]
    assert np.asarray(tangent).dtype == plain.dtype
    np.testing.assert_allclose(np.sum(bar * tangent), np.sum(expected * weights(shape)), rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("name", [*HOLOMORPHIC, "norm", "norm axis", "absolute"])
def test_complex128(name):
    shape, f, _ = CASES[name]
    z, dz = point(shape) + 0.4j * weights(shape, 2), weights(shape, 3) + 1j * weights(shape, 4)

    def real(z):
        out = f(z)
        w = weights(np.shape(out), 1) + 1j * weights(np.shape(out), 2)
        return np.sum((w * out).real)

    expected = difference_gradient(real, z)
    slope = dt.gradient(real, z)
    assert slope.dtype == np.complex128
    close(slope, expected, 1e-9)
    out, tangent = dt.pushforward(f, z, dz)
    np.testing.assert_allclose(out, f(z.copy()), rtol=1e-12, atol=1e-12)
    line = difference_gradient(lambda t: np.sum(weights(np.shape(out)) * f(z + t[0] * dz).real), np.zeros(1))
    close(np.sum(weights(np.shape(out)) * np.real(tangent)), line[0], 1e-9)
    curvature = dt.pushforward(lambda z: dt.gradient(real, z), z, dz)[1]
    close(dt.gradient(lambda z: np.sum((dt.gradient(real, z).conj() * dz).real), z), curvature, 1e-9)


EMPTY = {
    "sum": ((0, 3), lambda x: np.sum(x)),
    "sum axis": ((0, 3), lambda x: np.sum(x, axis=0)),
    "prod": ((0,), lambda x: np.prod(x)),
    "max of no rows": ((0, 3), lambda x: np.max(x, axis=1)),
    "cumsum": ((0,), lambda x: np.cumsum(x)),
    "dot": ((0,), lambda x: np.dot(x, x)),
    "matmul": ((0, 3), lambda x: x.T @ x),
    "matmul to nothing": ((0, 3), lambda x: x @ x.T),
    "einsum": ((0, 3), lambda x: np.einsum("ij,ik->jk", x, x)),
    "outer": ((0,), lambda x: np.outer(x, C3)),
    "concatenate": ((0, 3), lambda x: np.concatenate([x, C23])),
    "stack": ((0,), lambda x: np.stack([x, x])),
    "where": ((0, 3), lambda x: np.where(x > 0, x, 1.0)),
    "clip": ((0, 3), lambda x: np.clip(x, 0.0, 1.0)),
    "reshape": ((0, 3), lambda x: x.reshape(3, 0)),
    "solve": ((0, 0), lambda x: np.linalg.solve(x, x)),
    "inv": ((0, 0), lambda x: np.linalg.inv(x)),
    "norm": ((0,), lambda x: np.linalg.norm(x)),
    "arithmetic": ((0, 3), lambda x: np.sin(x) * x + C3),
}


@pytest.mark.parametrize("name", EMPTY)
def test_empty_arrays(name):
    shape, f = EMPTY[name]
    check(f, np.zeros(shape), reference=lambda x: f(x.real))


def test_a_sum_over_nothing_accepts_traced_values():
    def f(x):
        total = np.sum(x[:0] * 2.0, keepdims=True)
        total[0] = x[0] ** 2
        return total[0]

    close(dt.gradient(f, np.array([3.0, 1.0])), np.array([6.0, 0.0]), 1e-15)
    close(dt.jacobian(f, np.array([3.0, 1.0]), mode="forward"), np.array([6.0, 0.0]), 1e-15)


SCALARS = {
    "sum": lambda x: np.sum(x),
    "mean": lambda x: np.mean(x),
    "max": lambda x: np.max(x),
    "prod": lambda x: np.prod(x),
    "sin": lambda x: np.sin(x) * x,
    "reshape": lambda x: np.reshape(x, (1, 1)),
    "ravel": lambda x: np.ravel(x),
    "transpose": lambda x: np.transpose(x),
    "stack": lambda x: np.stack([x, x * x]),
    "where": lambda x: np.where(x > 0, x, 1.0),
    "clip": lambda x: np.clip(x, 0.0, 1.0),
    "outer": lambda x: np.outer(x, C3),
    "dot": lambda x: np.dot(x, C3),
    "einsum": lambda x: np.einsum(",i->i", x, C3),
    "broadcasting": lambda x: x * C23,
}


@pytest.mark.parametrize("name", SCALARS)
@pytest.mark.parametrize("inside", [False, True], ids=["input", "inside"])
def test_0_d_arrays(name, inside):
    f = SCALARS[name]
    if inside:
        check(lambda x: f(x[1, ...]), np.array([0.3, 0.7]))
    else:
        check(f, np.array(0.7))


# Functions of elements of an array, which are scalars.
ELEMENTS = {
    "broadcasting": lambda x: C3 * x[0] + x[1] / (x + 3.0) + x[2] ** 2 * C23[:, :1],
    "power of plain": lambda x: (2.0 + C3) ** x[1] + (x[0] + 3.0) ** C3,
    "zeros_like": lambda x: np.zeros_like(x[0]) + x[0],
    "full_like": lambda x: np.full_like(x, x[0]) * x,
    "full_like of an element": lambda x: np.full_like(x[0], x[1]) * x[0],
    "repeat": lambda x: np.repeat(x[0], 3),
    "tile": lambda x: np.tile(x[0] * x[1], (2, 3)),
    "broadcast_to": lambda x: np.broadcast_to(x[0], (2, 3)) * x,
    "reshape": lambda x: np.reshape(x[0] * x[1], (1, 1)),
    "ravel": lambda x: np.ravel(x[0] * x[1]),
    "stack": lambda x: np.stack([x[0], x[1] * x[2]]),
    "concatenate": lambda x: np.concatenate([x[:1], [x[1]], x]),
    "where": lambda x: np.where(MASK, x[0], x[1]) * np.where(x > 0, x[2], 0.5),
    "outer": lambda x: np.outer(x[0], x) * np.outer(x, x[1]),
    "dot": lambda x: np.dot(x[0], x) + np.dot(C3, x[1]) + np.dot(x[0], x[1]),
    "einsum": lambda x: np.einsum("i,->i", x, x[0]),
    "reductions": lambda x: np.sum(x[0]) * np.mean(x[1]) + np.max(x[2]) * np.prod(x[0]),
    "cumsum": lambda x: np.cumsum(x[0] * x[1]),
    "clip": lambda x: np.clip(x[0], -0.1, 0.1) * np.clip(x, x[1], 0.9),
    "maximum": lambda x: np.maximum(x[0], C3) * np.minimum(C3, x[1]) + np.maximum(0.1, x[2]),
    "outer of a ufunc": lambda x: np.add.outer(x[0], x) * np.multiply.outer(x, x[1]),
    "reduce": lambda x: np.add.reduce(x[0] * x),
    "solve": lambda x: np.linalg.solve(3 * I3 + x[0] * np.ones((3, 3)), x[1] * C3),
    "out": lambda x: np.multiply(x[0], x[1], out=x * 1.0) + np.sin(x[0], out=x[::-1]),
}


@pytest.mark.parametrize("name", ELEMENTS)
def test_elements_as_operands(name):
    check(ELEMENTS[name], np.array([0.3, -0.4, 0.8]))


def test_sizes_of_elements():
    seen = []
    f = lambda x: seen.append((np.shape(x[0]), np.ndim(x[0]), np.size(x[0]))) or x[0]
    dt.gradient(f, C3)
    dt.pushforward(f, C3, C3)
    assert seen == [((), 0, 1)] * 2


# --- plain operands of other kinds ----------------------------------------------------------------------------------

N = np.array([1.0, 3.0, 5.0])
OPERANDS = {
    "big-endian": N.astype(">f8"),
    "unaligned": np.frombuffer(b"-" + N.tobytes(), offset=1),
    "a field": np.array([(1.0, 7), (3.0, 7), (5.0, 7)], dtype=[("n", "f8"), ("other", "i1")])["n"],
    "reversed": N[::-1].copy()[::-1],
    "float32": N.astype(np.float32),
    "float16": N.astype(np.float16),
    "longdouble": N.astype(np.longdouble),
    "big-endian integers": N.astype(">i4"),
    "bytes": N.astype(np.uint8),
    "objects": N.astype(object),
    "a list": [1.0, 3.0, 5.0],
    "a tuple of integers": (1, 3, 5),
}
WITH_OPERAND = {
    "add": lambda x, n: np.add(x, n) * x,
    "multiply": lambda x, n: x * n + n * x * x,
    "divide": lambda x, n: x / n + np.divide(n, x),
    "power": lambda x, n: x**n,
    "scalar": lambda x, n: np.multiply(x[0], np.asarray(n)) + np.asarray(n) * x[1],
    "maximum": lambda x, n: np.maximum(x, np.add(n, 0.1)),
    "where": lambda x, n: np.where(x > 1.0, x, n),
    "dot": lambda x, n: np.dot(x, n) + np.dot(n, x),
    "matmul": lambda x, n: x @ n,
    "einsum": lambda x, n: np.einsum("i,i->i", x, n),
    "concatenate": lambda x, n: np.concatenate([x, n]) ** 2,
    "assignment": lambda x, n: operator.setitem(x[1:], slice(None), n[1:]) or x * x,
    "element": lambda x, n: operator.setitem(x, 0, n[2]) or x * x * n[1],
    "in place": lambda x, n: operator.imul(operator.iadd(x, n), 2.0) ** 2,
    "at": lambda x, n: np.add.at(x, [0, 1, 1], n) or x * x,
    "out": lambda x, n: np.multiply(x, n, out=x * 1.0),
}


@pytest.mark.parametrize("kind", OPERANDS)
@pytest.mark.parametrize("name", WITH_OPERAND)
def test_plain_operands_of_other_kinds(name, kind):
    f, n, x = WITH_OPERAND[name], OPERANDS[kind], np.array([0.5, 2.2, 3.1])
    bars = weights(np.shape(f(x.copy(), N)), 1)
    expected = step_gradient(lambda z: np.sum(bars * f(z, N)), x)
    total = lambda x: np.sum(bars * f(x, n))
    refused = (dt.DualtapeError, np._core._exceptions.UFuncTypeError) if kind == "objects" else ()
    with contextlib.suppress(*refused):
        for found in (dt.gradient(total, x), dt.jacobian(total, x, mode="forward")):
            close(found.astype(float), expected, 1e-14)


# --- ties, zeros, and branches not taken ----------------------------------------------------------------------------

KINKS = {
    "max ties": (lambda x: np.max(x), [2.0, 1.0, 2.0], [0.5, 0.0, 0.5]),
    "min ties of three": (lambda x: np.min(x), [1.0, 1.0, 1.0], [1 / 3, 1 / 3, 1 / 3]),
    "max ties along an axis": (lambda x: np.sum(np.max(x, axis=1)), [[1.0, 1.0], [2.0, 3.0]], [[0.5, 0.5], [0, 1]]),
    "maximum takes the first": (lambda x: np.sum(np.maximum(x, x[::-1] * 2 - x)), [1.0, 1.0], [1.0, 1.0]),
    "clip at the ends": (lambda x: np.sum(np.clip(x, 0.0, 1.0)), [0.0, 0.5, 1.0, 1.1, -0.1], [1, 1, 1, 0, 0]),
    "prod with a zero": (lambda x: np.prod(x), [2.0, 0.0, 3.0], [0.0, 6.0, 0.0]),
    "prod with two zeros": (lambda x: np.prod(x), [2.0, 0.0, 0.0], [0.0, 0.0, 0.0]),
    "prod of a row with a zero": (lambda x: np.sum(np.prod(x, axis=1)), [[2.0, 0.0], [4.0, 3.0]], [[0, 2], [3, 4]]),
    "norm at 0": (lambda x: np.linalg.norm(x), [0.0, 0.0], [0.0, 0.0]),
    "norm of a zero row": (lambda x: np.sum(np.linalg.norm(x, axis=1)), [[0.0, 0.0], [3.0, 4.0]], [[0, 0], [0.6, 0.8]]),
    "x ** 0": (lambda x: np.sum(x**0), [0.0, -1.0, 2.0], [0.0, 0.0, 0.0]),
    "x ** 2 at 0": (lambda x: np.sum(x**2), [0.0, -1.0], [0.0, -2.0]),
    "abs at 0": (lambda x: np.sum(np.abs(x)), [0.0, -1.0], [0.0, -1.0]),
    "sqrt behind where": (lambda x: np.sum(np.where(x > 0, np.sqrt(np.abs(x)), 0.0)), [0.0, 4.0], [0.0, 0.25]),
    "log behind where": (lambda x: np.sum(np.where(x > 0, np.log(x), x)), [-1.0, 2.0, 0.0], [1.0, 0.5, 1.0]),
    "division behind where": (lambda x: np.sum(np.where(x == 0, 1.0, np.sin(x) / x)), [0.0], [0.0]),
}


@pytest.mark.parametrize("name", KINKS)
def test_kinks(name):
    f, x, expected = KINKS[name]
    x = np.array(x)
    with np.errstate(all="ignore"):
        close(dt.gradient(f, x), np.array(expected), 1e-15)
        close(dt.jacobian(f, x, mode="forward"), np.array(expected), 1e-15)
        close(dt.pushforward(lambda y: dt.gradient(f, y), x, np.ones_like(x))[0], np.array(expected), 1e-15)


def test_prod_has_exact_second_derivatives_at_zeros():
    f = lambda x: np.prod(x)
    expected = np.array([[0, 0, 0], [0, 0, 2], [0, 2, 0]])
    for x in ([2.0, 0.0, 0.0],):
        for mode in ("forward", "reverse"):
            close(dt.jacobian(dt.gradient(f), np.array(x), mode=mode), expected, 1e-15)
    close(dt.hessian(f, np.array([2.0, 0.0, 3.0])), np.array([[0, 3, 0], [3, 0, 2], [0, 2, 0]]), 1e-15)


ERRORS = {
    "shapes that do not broadcast": (lambda x: x + np.ones(2), ValueError),
    "matmul of other shapes": (lambda x: x @ np.ones(2), ValueError),
    "reshape to another size": (lambda x: x.reshape(2, 2), ValueError),
    "concatenate of other shapes": (lambda x: np.concatenate([x, np.ones((2, 2))]), ValueError),
    "stack of other shapes": (lambda x: np.stack([x, np.ones(2)]), ValueError),
    "an axis that is not there": (lambda x: np.sum(x, axis=3), np.exceptions.AxisError),
    "max of nothing": (lambda x: np.max(x[:0]), ValueError),
    "a singular matrix": (lambda x: np.linalg.solve(np.outer(x, x), x), np.linalg.LinAlgError),
    "the inverse of a singular matrix": (lambda x: np.linalg.inv(x[:, None] * np.zeros(3)), np.linalg.LinAlgError),
    "the inverse of no square": (lambda x: np.linalg.inv(x[None]), np.linalg.LinAlgError),
    "einsum of other shapes": (lambda x: np.einsum("i,i", x, np.ones(2)), ValueError),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_are_those_of_numpy(name):
    f, error = ERRORS[name]
    for differentiate in (dt.gradient, lambda f, x: dt.pushforward(f, x, x), lambda f, x: dt.hvp(f, x, x)):
        with pytest.raises(error):
            differentiate(f, np.arange(3.0))
