"""Attributes and methods of traced arrays are those of plain ones."""

import copy
import operator

import numpy as np
import pytest

import dualtape as dt
from arrays.random_programs import check, check_case, close, primal, weights

X = weights((2, 3), 1)


def inside(look, x=X):
    """What look gives for a traced x, of reverse, forward and nested mode."""
    seen = []

    def f(x):
        seen.append(look(x))
        return np.sum(x)

    dt.gradient(f, x)
    dt.pushforward(f, x, np.ones_like(x))
    dt.pushforward(lambda y: dt.gradient(f, y), x, np.ones_like(x))
    dt.gradient(lambda y: np.sum(dt.gradient(f, y)), x)
    return seen


PLAIN = {
    "shape": lambda x: x.shape,
    "ndim": lambda x: x.ndim,
    "size": lambda x: x.size,
    "dtype": lambda x: x.dtype,
    "itemsize": lambda x: x.itemsize,
    "nbytes": lambda x: x.nbytes,
    "strides": lambda x: (x * 1.0).strides,
    "strides of a transpose": lambda x: (x * 1.0).T.strides,
    "flags": lambda x: (x.flags.c_contiguous, x.flags.f_contiguous, x.T.flags.f_contiguous, x.flags.writeable),
    "len": lambda x: len(x),
    "np.shape": lambda x: np.shape(x),
    "np.ndim": lambda x: np.ndim(x),
    "np.size": lambda x: np.size(x),
    "isrealobj": lambda x: (np.isrealobj(x), np.iscomplexobj(x)),
    "result_type": lambda x: np.result_type(x, np.float32),
    "shape of T": lambda x: x.T.shape,
    "shape of mT": lambda x: x.mT.shape,
    "truth of one": lambda x: (bool(x[:1, :1]), bool(x[0, 0] > 5)),
    "in": lambda x: (1.5 in x, X[0, 1] in x),
    "all and any": lambda x: ((x > 0).any(), (x > 0).all(), bool(np.any(x)), bool(np.all(x))),
    "argmax": lambda x: (x.argmax(), np.argmax(x), list(x.argmin(axis=0)), x.argsort(axis=1).tolist()),
    "nonzero": lambda x: [list(p) for p in np.nonzero(x > 0)],
    "searchsorted": lambda x: np.searchsorted([-1.0, 0.0, 1.0], dt.stop_gradient(x[0])).tolist(),
    "allclose": lambda x: (np.allclose(x, X), np.array_equal(x, X)),
    "format": lambda x: f"{x[0, 0]:.3f}",
    "iteration": lambda x: [row.shape for row in x],
    "unpacking": lambda x: [part.shape for part in (lambda a, b: (a, b))(*x)],
    "zeros_like": lambda x: (np.zeros_like(x).shape, np.zeros_like(x).dtype, np.ones_like(x, shape=(4,)).shape),
}


@pytest.mark.parametrize("name", PLAIN)
def test_plain_attributes(name):
    expected = PLAIN[name](X.copy())
    for seen in inside(PLAIN[name]):
        assert seen == expected


METHODS = {
    "T": lambda x: x.T,
    "mT": lambda x: x.mT,
    "real": lambda x: x.real if x.dtype == float else x,
    "imag": lambda x: x.imag if x.dtype == float else x * 0.0,
    "flat": lambda x: x.flat[3] * x.flat[1],
    "flat slice": lambda x: x.flat[1:4] * 2.0,
    "flat iteration": lambda x: sum(e * e for e in x.flat),
    "sum": lambda x: x.sum() * x.sum(axis=0) + x.sum(1)[0] + x.sum(axis=1, keepdims=True)[1],
    "mean": lambda x: x.mean() * x.mean(axis=0) + x.mean(1)[0],
    "prod": lambda x: x.prod() + x.prod(axis=0),
    "max": lambda x: x.max() * x.max(axis=0),
    "min": lambda x: x.min() * x.min(1, keepdims=True),
    "dot": lambda x: x.dot(x.T),
    "reshape": lambda x: x.reshape(3, 2),
    "reshape tuple": lambda x: x.reshape((6, 1)),
    "ravel": lambda x: x.ravel(),
    "flatten": lambda x: x.flatten(),
    "flatten Fortran": lambda x: x.flatten("F"),
    "transpose": lambda x: x.transpose(),
    "transpose axes": lambda x: x.transpose(1, 0),
    "transpose tuple": lambda x: x.transpose((1, 0)),
    "copy": lambda x: x.copy(),
    "copy.copy": lambda x: copy.copy(x),
    "copy.deepcopy": lambda x: copy.deepcopy(x),
    "astype": lambda x: x.astype(x.dtype) * x,
    "item": lambda x: x.item(4) * x.item(1, 2) * x[:1, :1].item(),
    "cumsum": lambda x: x.cumsum() + x.cumsum(axis=1).reshape(-1),
    "clip": lambda x: x.clip(-0.5, 0.5),
    "clip max": lambda x: x.clip(max=0.5),
    "squeeze": lambda x: x[None, :, None].squeeze(),
    "squeeze axis": lambda x: x[None, :, None].squeeze(axis=0),
    "swapaxes": lambda x: x.swapaxes(0, 1),
    "diagonal": lambda x: x.diagonal(),
    "diagonal offset": lambda x: x.diagonal(1),
    "trace": lambda x: x.trace(),
    "trace offset": lambda x: x.trace(offset=1) * x.trace(),
    "repeat": lambda x: x.repeat(2, axis=0),
    "take": lambda x: x.take([0, 2, 2], axis=1),
    "var and std": lambda x: (
        x.var() + x.std(axis=0)
        if x.dtype == float
        else np.mean((x - np.mean(x)) ** 2) + np.sqrt(np.mean((x - np.mean(x, axis=0)) ** 2, axis=0))
    ),
    "conj": lambda x: x.conj() * x.conjugate() if x.dtype == float else x * x,
    "round": lambda x: x.round() * 0.0 + x if x.dtype == float else x,
    "tolist": lambda x: sum(a * b for a, b in zip(*x.tolist(), strict=True)),
    "iteration": lambda x: sum(row * k for k, row in enumerate(x)),
    "unpacking": lambda x: operator.mul(*x),
    "__getitem__": lambda x: x.__getitem__((0, 1)),
    "np.real": lambda x: np.real(x) if x.dtype == float else x,
    "reversed": lambda x: next(iter(reversed(x))) * x[0],
    "comparison as a factor": lambda x: (x > 0.2) * x,
}


@pytest.mark.parametrize("name", METHODS)
def test_methods_in_every_mode(name):
    check(METHODS[name], X)


CHANGES = {
    "fill": lambda y, x: y.fill(x[0, 0]),
    "sort": lambda y, x: y.sort(),
    "sort axis": lambda y, x: y.sort(axis=0),
    "flat": lambda y, x: operator.setitem(y.flat, slice(1, 4), x.flat[0] * x.flat[2]),
    "T": lambda y, x: operator.setitem(y.T, 1, x[:, 0] ** 2),
    "iadd": lambda y, x: operator.iadd(y, x),
    "imul of a scalar": lambda y, x: operator.imul(y, x[1, 1]),
    "setitem": lambda y, x: y.__setitem__((1, 2), x[0, 0] ** 2),
    "sum out": lambda y, x: x.sum(axis=0, out=y[0]),
    "cumsum out": lambda y, x: x.cumsum(axis=0, out=y),
    "clip out": lambda y, x: x.clip(-0.5, 0.5, out=y),
}


@pytest.mark.parametrize("name", CHANGES)
def test_methods_that_change_the_array(name):
    def case(x, dt):
        y = x * 1.5
        CHANGES[name](y, x)
        return y

    check_case(case, X)


@pytest.mark.parametrize("mode", ["reverse", "forward"])
def test_complex_attributes(mode):
    z, dz = X + 1j * weights((2, 3), 2), weights((2, 3), 3) + 1j * X
    cases = {
        "real": (lambda z: z.real, dz.real),
        "imag": (lambda z: z.imag, dz.imag),
        "conj": (lambda z: z.conj(), dz.conj()),
        "np.conj": (lambda z: np.conj(z), dz.conj()),
        "abs": (lambda z: abs(z), (z.conj() * dz).real / abs(z)),
        "angle": (lambda z: np.arctan2(z.imag, z.real), (dz / z).imag),
        "astype": (lambda x: x.real.astype(complex) * 1j, dz.real * 1j),
        "sum": (lambda z: z.sum(), dz.sum()),
    }
    w = weights((2, 3), 4) + 1j * weights((2, 3), 5)
    for name, (f, expected) in cases.items():
        if mode == "forward":
            close(dt.pushforward(f, z, dz)[1], expected, 1e-13, name)
        else:
            value, back = dt.pullback(f, z)
            bar = w[0, 0] if np.ndim(value) == 0 else w
            bar = bar if np.iscomplexobj(value) else bar.real
            close(np.sum((back(bar).conj() * dz).real), np.sum((np.conj(bar) * expected).real), 1e-13, name)


@pytest.mark.parametrize(("dtype", "scalar"), [("float64", False), ("float32", True), ("complex128", True)])
def test_reductions_of_other_dtypes_are_0_d_arrays(dtype, scalar):
    seen = []

    def f(x):
        total = np.sum(x)
        seen.extend([(total, x[0, 0]), (np.sum(x, axis=(0, 1)), x[1, 2])])
        if scalar:
            assert all(isinstance(e, dt.VarArray | dt.DualArray) and e.shape == () for pair in seen for e in pair)
            assert all(e.dtype == dtype for pair in seen for e in pair)
        else:
            assert all(isinstance(e, dt.Var | dt.Dual) for pair in seen for e in pair)
        seen.clear()
        return total.real if dtype == "complex128" else total

    x = X.astype(dtype)
    assert dt.gradient(f, x).dtype == dtype
    dt.pushforward(f, x, np.ones_like(x))


def test_types_and_values():
    for x in inside(lambda x: x, X):
        assert type(x) in (dt.VarArray, dt.DualArray)
    values = inside(lambda x: (primal(x), type(x).__name__), X)
    for value, _ in values:
        assert type(value) is np.ndarray
        np.testing.assert_array_equal(value, X)
    assert [name for _, name in values] == ["VarArray", "DualArray", "VarArray", "VarArray"]


def test_the_value_is_not_a_way_to_change_the_array():
    def f(x):
        y = x * 2.0
        value = y.value
        try:
            value[0] = 100.0
        except ValueError:
            pass
        return np.sum(y * y)

    close(dt.gradient(f, np.ones(2)), [8.0, 8.0], 1e-15)


def test_repr_and_format_show_the_primal():
    x = np.array([1.25, -2.5])
    for text in inside(lambda x: repr(x) + str(x), x):
        assert "1.25" in text and "-2.5" in text
    for text in inside(lambda x: x._repr_html_(), x):
        assert "1.25" in text and "<" in text
    for text in inside(lambda x: f"{x}", x):
        assert "1.25" in text
    for text in inside(lambda x: repr(x), np.zeros((0, 3))):
        assert text
    assert all(len(text) < 5000 for text in inside(lambda x: repr(x), np.zeros(10_000)))


def test_traced_arrays_are_not_hashable_and_not_numbers():
    for convert in (hash, float, int, complex, operator.index):
        with pytest.raises(TypeError):
            dt.gradient(lambda x: convert(x) or x[0], np.ones(2))
    with pytest.raises(ValueError, match="truth value"):
        dt.gradient(lambda x: x[0] if x else x[1], np.ones(2))
    with pytest.raises(TypeError):
        dt.gradient(lambda x: len(np.sum(x)), np.ones(2))
    with pytest.raises(AttributeError):
        dt.gradient(lambda x: x.no_such_attribute, np.ones(2))
    with pytest.raises(AttributeError):
        dt.gradient(lambda x: setattr(x, "no_such_attribute", 1), np.ones(2))
