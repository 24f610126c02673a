"""Every attribute of ndarray: on a traced array it is what NumPy makes it, or an error that says what to do."""

import copy
import io
import operator
from operator import lshift, rshift

import numpy as np
import pytest

import dualtape as dt
from arrays.random_programs import check_case, primal, weights
from arrays.test_attributes import inside

X = weights((2, 3), 1)

# NumPy 2.5 warns of assignments to the shape of an ndarray, and makes them.
pytestmark = pytest.mark.filterwarnings("ignore:Setting the shape:DeprecationWarning")

# What each attribute gives on a traced array as on a plain one.
SAME = {
    "T": lambda x: x.T,
    "mT": lambda x: x.mT,
    "all": lambda x: x.all(axis=0),
    "any": lambda x: x.any(),
    "argmax": lambda x: x.argmax(axis=1),
    "argmin": lambda x: x.argmin(),
    "argpartition": lambda x: x.argpartition(1, axis=1),
    "argsort": lambda x: x.argsort(axis=0),
    "astype": lambda x: (x.astype(np.float32), x.astype(int), x.astype(float, order="F"), x.astype(float, copy=False)),
    "base": lambda x: ((x * 1.0).base is None, x[0].base is None, x[0].base.base is None),
    "clip": lambda x: x.clip(-0.5, 0.5),
    "compress": lambda x: (x.compress([True, False, True], axis=1), x.compress([False, True])),
    "conj": lambda x: x.conj(),
    "conjugate": lambda x: x.conjugate(),
    "copy": lambda x: x.copy("F"),
    "cumprod": lambda x: (x.cumprod(), x.cumprod(axis=1)),
    "cumsum": lambda x: (x.cumsum(), x.cumsum(axis=0)),
    "device": lambda x: x.device,
    "diagonal": lambda x: x.diagonal(1),
    "dot": lambda x: x.dot(X[0]),
    "dtype": lambda x: x.dtype,
    "fill": lambda x: changed(x, lambda y: y.fill(2.0)),
    "flags": lambda x: (x.flags.f_contiguous, x.T.flags["F_CONTIGUOUS"], x.flags.writeable, x.flags.aligned),
    "flat": lambda x: (x.flat[3], x.flat[1:3], len(x.flat)),
    "flatten": lambda x: x.flatten("F"),
    "imag": lambda x: x.imag,
    "item": lambda x: (x.item(4), x.item((1, 2)), x[:1, :1].item()),
    "itemsize": lambda x: x.itemsize,
    "max": lambda x: x.max(axis=0),
    "mean": lambda x: x.mean(axis=1),
    "min": lambda x: x.min(),
    "nbytes": lambda x: x.nbytes,
    "ndim": lambda x: x.ndim,
    "nonzero": lambda x: x.nonzero(),
    "partition": lambda x: (changed(x, lambda y: y.partition(1)), changed(x.T, lambda y: y.partition([0, 2], axis=0))),
    "prod": lambda x: x.prod(axis=1),
    "put": lambda x: (
        changed(x, lambda y: y.put([0, -1, 2], [7.0, 8.0])),
        changed(x, lambda y: y.put([0, 9], 7.0, mode="wrap")),
        changed(x.T, lambda y: y.put([[1], [30]], [7.0, 9.0, 8.0], mode="clip")),
    ),
    "ravel": lambda x: (x.ravel(), x.T.ravel("K")),
    "real": lambda x: x.real,
    "repeat": lambda x: x.repeat([1, 0, 2], axis=1),
    "reshape": lambda x: (x.reshape(3, 2), x.reshape(-1, order="F"), x.reshape((6,), copy=True)),
    "resize": lambda x: changed(x, lambda y: y.resize(3, 2)),
    "round": lambda x: x.round(1),
    "searchsorted": lambda x: x[0].cumsum().searchsorted(0.3),
    "setflags": lambda x: changed(x, lambda y: y.setflags(write=False)).flags.writeable,
    "shape": lambda x: (x.shape, changed(x, lambda y: setattr(y, "shape", (3, -1)))),
    "size": lambda x: x.size,
    "sort": lambda x: changed(x, lambda y: y.sort(axis=0)),
    "squeeze": lambda x: x[None].squeeze(),
    "std": lambda x: x.std(axis=0),
    "strides": lambda x: (x * 1.0).strides,
    "sum": lambda x: x.sum(axis=1),
    "swapaxes": lambda x: x.swapaxes(0, 1),
    "take": lambda x: (x.take([5, 0]), x.take([0, 2], axis=1), x.take([7, 1], axis=1, mode="wrap")),
    "to_device": lambda x: x.to_device("cpu"),
    "tolist": lambda x: x.tolist()[1][2],
    "trace": lambda x: x.trace(1),
    "transpose": lambda x: x.transpose(1, 0),
    "var": lambda x: x.var(ddof=1),
    "view": lambda x: (x.view(), x.view(float)),
    "__abs__": operator.abs,
    "__add__": lambda x: x + 1.0,
    "__array_namespace__": lambda x: x.__array_namespace__().__name__,
    "__bool__": lambda x: bool(x[:1, :1]),
    "__contains__": lambda x: (X[0, 1] in x, 5.0 in x),
    "__copy__": copy.copy,
    "__deepcopy__": copy.deepcopy,
    "__divmod__": lambda x: divmod(x, 0.3),
    "__eq__": lambda x: x == X,
    "__floordiv__": lambda x: x // 0.3,
    "__format__": lambda x: f"{x[0, 0]:.3f}",
    "__ge__": lambda x: x >= 0.1,
    "__getitem__": lambda x: (x[0], x[0, 1], x[::-1], x[[0, 1, 0]], x[x > 0]),
    "__gt__": lambda x: x > 0.1,
    "__iadd__": lambda x: changed(x, lambda y: operator.iadd(y, 1.0)),
    "__ifloordiv__": lambda x: changed(x, lambda y: operator.ifloordiv(y, 0.3)),
    "__imatmul__": lambda x: changed(x[:, :2], lambda y: operator.imatmul(y, np.eye(2))),
    "__imod__": lambda x: changed(x, lambda y: operator.imod(y, 0.3)),
    "__imul__": lambda x: changed(x, lambda y: operator.imul(y, 2.0)),
    "__int__": lambda x: int(x[:1, :1].item()),
    "__ipow__": lambda x: changed(x, lambda y: operator.ipow(y, 2)),
    "__isub__": lambda x: changed(x, lambda y: operator.isub(y, 2.0)),
    "__iter__": lambda x: list(x),
    "__itruediv__": lambda x: changed(x, lambda y: operator.itruediv(y, 2.0)),
    "__le__": lambda x: x <= 0.1,
    "__len__": len,
    "__lt__": lambda x: x < 0.1,
    "__matmul__": lambda x: x @ X.T,
    "__mod__": lambda x: x % 0.3,
    "__mul__": lambda x: x * X,
    "__ne__": lambda x: x != X,
    "__neg__": operator.neg,
    "__pos__": operator.pos,
    "__pow__": lambda x: x**3,
    "__radd__": lambda x: 1.0 + x,
    "__rdivmod__": lambda x: divmod(0.3, x),
    "__rfloordiv__": lambda x: 0.3 // x,
    "__rmatmul__": lambda x: X.T @ x,
    "__rmod__": lambda x: 0.3 % x,
    "__rmul__": lambda x: 3.0 * x,
    "__rpow__": lambda x: 2.0**x,
    "__rsub__": lambda x: 1.0 - x,
    "__rtruediv__": lambda x: 1.0 / x,
    "__setitem__": lambda x: changed(x, lambda y: operator.setitem(y, (0, 1), 5.0)),
    "__str__": str,
    "__sub__": lambda x: x - X,
    "__truediv__": lambda x: x / X,
}

# What raises, and which error.
REFUSED = {
    "byteswap": (lambda x: x.byteswap(), dt.ConversionError),
    "choose": (lambda x: x.choose([X, X]), TypeError),  # as of an ndarray of floats
    "ctypes": (lambda x: x.ctypes, dt.ConversionError),
    "data": (lambda x: x.data, dt.ConversionError),
    "dump": (lambda x: x.dump(io.BytesIO()), dt.ConversionError),
    "dumps": (lambda x: x.dumps(), dt.ConversionError),
    "getfield": (lambda x: x.getfield(np.float32), dt.ConversionError),
    "setfield": (lambda x: x.setfield(1.0, float), dt.ConversionError),
    "tobytes": (lambda x: x.tobytes(), dt.ConversionError),
    "tofile": (lambda x: x.tofile(io.BytesIO()), dt.ConversionError),
    "view of integers": (lambda x: x.view(np.int64), dt.ConversionError),
    "resize to another size": (lambda x: x.resize(7), dt.OptionError),
    "__array__": (lambda x: x.__array__(), dt.ConversionError),
    "__array_interface__": (lambda x: x.__array_interface__, dt.ConversionError),
    "__array_struct__": (lambda x: x.__array_struct__, dt.ConversionError),
    "__array_finalize__": (lambda x: x.__array_finalize__, dt.ConversionError),
    "__array_priority__": (lambda x: x.__array_priority__, dt.ConversionError),
    "__array_wrap__": (lambda x: x.__array_wrap__(X), dt.ConversionError),
    "__buffer__": (memoryview, TypeError),
    "__complex__": (complex, dt.ConversionError),
    "__delitem__": (lambda x: operator.delitem(x, 0), ValueError),
    "__dlpack__": (lambda x: x.__dlpack__(), dt.ConversionError),
    "__dlpack_device__": (lambda x: x.__dlpack_device__(), dt.ConversionError),
    "__float__": (float, dt.ConversionError),
    "__hash__": (hash, TypeError),
    "__index__": (lambda x: operator.index(x), TypeError),
    "__reduce__": (lambda x: x.__reduce__(), TypeError),
    "__reduce_ex__": (lambda x: x.__reduce_ex__(2), dt.ConversionError),
}
# Of floats an ndarray raises a TypeError too.
BITWISE = {"and": operator.and_, "or": operator.or_, "xor": operator.xor, "lshift": lshift, "rshift": rshift}
for _name, _f in BITWISE.items():
    for _prefix in ("", "i", "r"):
        REFUSED[f"__{_prefix}{_name}__"] = (lambda x, f=_f: f(x, X), TypeError)
REFUSED["__invert__"] = (operator.invert, TypeError)

# What every object of Python has, or what a class has and its instances do not use.
OBJECT = {*dir(object), "__array_function__", "__array_ufunc__", "__class_getitem__", "__doc__", "__setstate__"}


def changed(x, change):
    """A copy of x after a change."""
    y = x.copy("K")
    change(y)
    return y


def flat(out):
    """The numbers and arrays of a result in one list."""
    return [e for part in out for e in flat(part)] if isinstance(out, tuple | list) else [out]


def test_the_table_is_complete():
    public = {name for name in dir(np.ndarray) if not name.startswith("_") or name.startswith("__")}
    assert public - OBJECT <= set(SAME) | set(REFUSED)


@pytest.mark.parametrize("name", SAME)
def test_as_of_an_ndarray(name):
    expected = flat(SAME[name](X.copy()))
    for seen in inside(lambda x: [snapshot(e) for e in flat(SAME[name](x))], X):
        assert len(seen) == len(expected)
        for found, wanted in zip(seen, expected, strict=True):
            if isinstance(wanted, np.ndarray | float):
                np.testing.assert_allclose(found, wanted, rtol=1e-14)
                assert np.shape(found) == np.shape(wanted) and np.asarray(found).dtype == np.asarray(wanted).dtype
            else:
                assert found == wanted


def snapshot(x):
    """What is plain in a value, as it is now."""
    return np.array(primal(x)) if hasattr(primal(x), "dtype") else primal(x)


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    use, error = REFUSED[name]

    def look(x):
        with pytest.raises(error) as info:
            use(x)
        if isinstance(info.value, dt.DualtapeError):
            assert "test_methods_of_ndarray.py:" in str(info.value) and len(str(info.value)) > 60
            assert "dt." in str(info.value) or "np." in str(info.value)
        return True

    inside(look, X)


@pytest.mark.parametrize("name", ["data", "ctypes", "__array_interface__", "no_such_thing"])
def test_attributes_that_are_not_there(name):
    assert inside(lambda x: hasattr(x, name), X) == [False] * 4


def test_arrays_of_plain_numbers_give_their_memory():
    x = dt.array(X)
    assert x.tobytes() == X.tobytes() and bytes(x.data) == X.tobytes()
    np.testing.assert_array_equal(x.byteswap().byteswap(), X)
    assert dt.array([1, 0]).choose([[5.0, 6.0], [7.0, 8.0]]).tolist() == [7.0, 6.0]


CHANGES = {
    "put": lambda y, x: y.put([0, 3, 0, -1], x[0] * 2.0),
    "put of repeated values": lambda y, x: y.T.put([0, 3, 4], x[0, :2] ** 2),
    "put of itself": lambda y, x: y.put([0, 1, 2], y[0, ::-1]),
    "partition": lambda y, x: y.partition(1, axis=0),
    "view": lambda y, x: operator.imul(y.view()[0], x[1]),
    "shape": lambda y, x: (setattr(y, "shape", (3, 2)), operator.imul(y[0], x[0, :2])),
    "resize": lambda y, x: (y.resize((3, 2)), operator.imul(y[:, 0], x[0])),
    "base": lambda y, x: operator.imul(y[0].base.reshape(-1)[1:3], x[0, 0]),
    "take out": lambda y, x: x.take([0, 5, 1], out=y[1]),
    "compress out": lambda y, x: x.compress([False, True], axis=0, out=y[:1]),
    "trace out": lambda y, x: (x * x).trace(out=y[0, 0, ...]),
}


@pytest.mark.parametrize("name", CHANGES)
def test_changes_in_every_mode(name):
    def case(x, dt):
        y = x * 1.5
        CHANGES[name](y, x)
        return y

    check_case(case, X)


def test_options_of_methods():
    def look(x):
        with pytest.raises(TypeError, match="according to the rule 'safe'"):
            x.astype(np.float32, casting="safe")
        with pytest.raises(ValueError, match="copy"):
            x.T.reshape(-1, copy=False)
        with pytest.raises(AttributeError, match="reshape"):
            x.T.shape = -1
        with pytest.raises(ValueError, match="scalar"):
            x.copy().fill(X[0])
        with pytest.raises(ValueError, match="fields"):
            x.copy().sort(order="a")
        with pytest.raises(IndexError):
            x.copy().put([6], 1.0)
        y = x.copy()
        y.flags.writeable = False
        with pytest.raises(ValueError, match="read-only"):
            y[0] = 1.0
        with pytest.raises(ValueError, match="read-only"):
            np.add.at(y, 0, 1.0)
        y.setflags(write=True)
        y[0] = 1.0
        with pytest.raises(ValueError, match="WRITEABLE"):
            np.broadcast_to(x, (2, 2, 3)).setflags(write=True)
        for name, value in (("dtype", np.float32), ("strides", (8, 8)), ("data", b""), ("ndim", 3), ("T", X)):
            with pytest.raises(AttributeError):
                setattr(y, name, value)
        return True

    inside(look, X)
