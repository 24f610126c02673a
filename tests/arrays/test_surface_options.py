"""NumPy's functions with arguments by name and by place, with out=, and traced only in an argument further back."""

import inspect

import numpy as np
import pytest

import dualtape as dt
from arrays.random_programs import check, close, difference_gradient, primal, weights
from dualtape.arrays.protocol import FUNCTIONS

pytestmark = pytest.mark.filterwarnings("ignore")

C23 = weights((2, 3), 7)
MASK = np.array([[True, False, True], [False, True, True]])

# --- arguments by name -----------------------------------------------------------------------------------------------

NAMED = {
    "sum": lambda x: np.sum(a=x, axis=(0, 1), dtype=np.float64, keepdims=True, initial=1.5, where=MASK),
    "prod": lambda x: np.prod(a=x, axis=(0, 1), initial=2.0, where=MASK),
    "prod of a traced initial": lambda x: np.prod(x, axis=0, initial=x[0, 0]),
    "sum of a traced initial": lambda x: np.sum(x, axis=1, initial=x[0, 0] ** 2),
    "mean": lambda x: np.mean(a=x, axis=(0, 1), dtype=np.float64, keepdims=True, where=MASK),
    "cumsum": lambda x: np.cumsum(a=x, axis=-1, dtype=complex).real * x,
    "cumprod": lambda x: np.cumprod(a=x, axis=-2),
    "trace": lambda x: np.trace(a=x, offset=1, axis1=1, axis2=0, dtype=float),
    "diagonal": lambda x: np.diagonal(a=x, offset=-1, axis1=0, axis2=1) * x[0, 0],
    "split": lambda x: np.split(ary=x, indices_or_sections=[1], axis=1)[1] * x[:, :1],
    "array_split": lambda x: np.array_split(ary=x, indices_or_sections=2, axis=1)[0] ** 2,
    "hsplit": lambda x: np.hsplit(ary=x, indices_or_sections=3)[2] ** 2,
    "concatenate": lambda x: np.concatenate((x, C23), axis=None, dtype=complex, casting="safe").real ** 2,
    "stack": lambda x: np.stack(arrays=[x, C23], axis=-1, dtype=np.float64) ** 2,
    "vstack": lambda x: np.vstack(tup=[x, C23]) ** 2,
    "hstack": lambda x: np.hstack(tup=[x, C23]) ** 2,
    "column_stack": lambda x: np.column_stack(tup=[x[0], x[1]]) ** 2,
    "append": lambda x: np.append(arr=x, values=x[:1], axis=0) ** 2,
    "insert": lambda x: np.insert(arr=x, obj=1, values=x[0], axis=0) ** 2,
    "delete": lambda x: np.delete(arr=x, obj=1, axis=1) ** 2,
    "repeat": lambda x: np.repeat(a=x, repeats=[1, 2], axis=0) ** 2,
    "tile": lambda x: np.tile(A=x, reps=(2, 1)) ** 2,
    "take": lambda x: np.take(a=x, indices=[[0, 1], [2, 2]], axis=1) ** 2,
    "take_along_axis": lambda x: np.take_along_axis(arr=x, indices=np.array([[1], [0]]), axis=1) ** 2,
    "compress": lambda x: np.compress(condition=[True, False, True], a=x, axis=1) ** 2,
    "rot90": lambda x: np.rot90(m=x, k=3, axes=(1, 0)) ** 2,
    "flip": lambda x: np.flip(m=x, axis=(0, 1)) * C23,
    "moveaxis": lambda x: np.moveaxis(a=x, source=0, destination=-1) ** 2,
    "expand_dims": lambda x: np.expand_dims(a=x, axis=(0, 2)) ** 2,
    "broadcast_to": lambda x: np.broadcast_to(array=x, shape=(2, 2, 3)) * C23,
    "diag": lambda x: np.diag(v=x[0], k=-1) ** 2,
    "tril": lambda x: np.tril(m=x, k=1) ** 2,
    "where": lambda x: np.where(MASK, x, 2) ** 2,
    "dot": lambda x: np.dot(a=x, b=C23.T),
    "outer": lambda x: np.outer(a=x, b=x),
    "tensordot": lambda x: np.tensordot(a=x, b=C23, axes=([0, 1], [0, 1])),
    "einsum": lambda x: np.einsum("ij,kj->ik", x, C23, optimize="greedy", dtype=float),
    "clip": lambda x: np.clip(a=x, a_min=-0.5, a_max=None) ** 2,
    "full_like": lambda x: np.full_like(a=x, fill_value=x[0, 0]) * x,
    "interp": lambda x: np.interp(x=0.3, xp=[0.0, 1.0], fp=x[0, :2], left=None, right=None),
    "linspace": lambda x: np.linspace(start=0, stop=x[0, 0], num=4, endpoint=True, retstep=False, dtype=None, axis=0),
    "gradient": lambda x: np.gradient(x, 1.0, 2.0, axis=(1, 0))[1] ** 2,
    "pad": lambda x: np.pad(array=x, pad_width=1, mode="constant", constant_values=2) ** 2,
    "quantile": lambda x: np.quantile(a=x, q=0.4, axis=(0, 1), method="linear", keepdims=True),
    "percentile by place": lambda x: np.percentile(x, 40, (0, 1), None, False, "linear", True),
    "std": lambda x: np.std(a=x, axis=(0, 1), ddof=1, keepdims=True, where=MASK),
    "average": lambda x: np.average(a=x, axis=(0, 1), weights=np.abs(C23), keepdims=True),
    "cov": lambda x: np.cov(m=x, y=C23, rowvar=True, bias=False, ddof=0),
    "select": lambda x: np.select(condlist=[x > 0], choicelist=[x * x], default=-1) * x,
    "meshgrid": lambda x: np.meshgrid(x[0], x[1], indexing="xy", sparse=False, copy=True)[1] ** 2,
    "ravel": lambda x: np.ravel(a=x, order="F") ** 2,
    "reshape": lambda x: np.reshape(x, shape=(3, 2), order="F") ** 2,
    "roll": lambda x: np.roll(a=x, shift=-1, axis=1) * C23,
    "diff": lambda x: np.diff(a=x, n=1, axis=0) ** 2,
    "trapezoid": lambda x: np.trapezoid(y=x, x=None, dx=2.0, axis=0) ** 2,
    "vander": lambda x: np.vander(x=x[0], N=2, increasing=True) ** 2,
    "polyval": lambda x: np.polyval(p=[1, 2.0], x=x) ** 2,
    "round": lambda x: np.round(a=x, decimals=1, out=None) * 0.0 + x**2,
    "nan_to_num": lambda x: np.nan_to_num(x=x, copy=True, nan=1, posinf=2, neginf=3) ** 2,
}
REAL_ONLY = (
    "sum",
    "mean",
    "stack",
    "einsum",
    "cumsum",
    "clip",
    "concatenate",
    "interp",
    "quantile",
    "percentile by place",
    "std",
    "cov",
    "average",
    "select",
    "round",
    "nan_to_num",
    "trace",
)


@pytest.mark.parametrize("name", NAMED)
def test_arguments_by_name(name):
    f, x = NAMED[name], 0.95 * weights((2, 3), 0.3)
    if name not in REAL_ONLY:
        check(f, x)
        return
    total = lambda x: np.sum(weights(np.shape(f(x))) * f(x))
    expected = difference_gradient(total, x, 1e-3)
    close(dt.gradient(total, x), expected, 1e-9)
    close(dt.jacobian(total, x, mode="forward"), expected, 1e-9)
    close(dt.pullback(f, x)[0], f(x.copy()), 1e-14)


# --- out= ------------------------------------------------------------------------------------------------------------

# Functions that take out=, with what makes them give an array of shape (3,).
OUT = {
    "amax": (lambda f, x, **o: f(x, axis=0, **o)), "amin": (lambda f, x, **o: f(x, axis=0, **o)),
    "choose": (lambda f, x, **o: f([0, 1, 0], x, **o)), "clip": (lambda f, x, **o: f(x[0], -0.5, 0.5, **o)),
    "compress": (lambda f, x, **o: f([True] * 3, x[0], **o)),
    "concatenate": (lambda f, x, **o: f([x[0, :1], x[1, :2]], **o)),
    "cumprod": (lambda f, x, **o: f(x[0], **o)), "cumsum": (lambda f, x, **o: f(x[0], **o)),
    "cumulative_prod": (lambda f, x, **o: f(x[0], **o)), "cumulative_sum": (lambda f, x, **o: f(x[0], **o)),
    "dot": (lambda f, x, **o: f([1.0, 2.0], x, **o)), "einsum": (lambda f, x, **o: f("ij->j", x, **o)),
    "nancumprod": (lambda f, x, **o: f(x[0], **o)), "nancumsum": (lambda f, x, **o: f(x[0], **o)),
    "nanpercentile": (lambda f, x, **o: f(x, 40, axis=0, **o)), "percentile": (lambda f, x, **o: f(x, 40, axis=0, **o)),
    "nanquantile": (lambda f, x, **o: f(x, 0.4, axis=0, **o)), "quantile": (lambda f, x, **o: f(x, 0.4, axis=0, **o)),
    "outer": (lambda f, x, **o: f([2.0], x[0], **o)[0] if not o else f([2.0], x[0], out=o["out"][None])[0]),
    "stack": (lambda f, x, **o: f([x[0, 0], x[0, 1], x[1, 2]], **o)), "take": (lambda f, x, **o: f(x, [0, 1, 5], **o)),
    "trace": (lambda f, x, **o: f(x[:, None] * x[None, :, :], axis1=0, axis2=1, **o)),
}  # fmt: skip


def takes_out(f):
    try:
        return "out" in inspect.signature(f).parameters
    except ValueError:
        return False


# Those of numpy.linalg and numpy.fft have tests of their own.
WITH_OUT = [
    f
    for f, rule in FUNCTIONS.items()
    if takes_out(f) and hasattr(rule, "__name__") | hasattr(rule, "f") and f.__module__ == "numpy"
]


@pytest.mark.parametrize("function", WITH_OUT, ids=lambda f: f.__name__)
def test_out(function):
    call = OUT.get(function.__name__, lambda f, x, **o: f(x, axis=0, **o))
    x = 0.95 * weights((2, 3), 0.3)
    plain = np.empty(3)
    with pytest.raises((dt.ConversionError, dt.NoRuleError)):
        dt.gradient(lambda x: np.sum(call(function, x, out=plain)), x)

    def f(x):
        out = np.zeros_like(x[0])
        returned = call(function, x, out=out)
        return np.sum(C23[0] * out) + np.sum(0.5 * returned)

    expected = difference_gradient(lambda x: np.sum((C23[0] + 0.5) * call(function, x)), x, 1e-3)
    close(dt.gradient(f, x), expected, 1e-9)
    close(dt.jacobian(f, x, mode="forward"), expected, 1e-9)


# --- traced in another argument --------------------------------------------------------------------------------------

# Each gives the derivative of plain NumPy, or raises an error of dualtape: never zero for what depends on x.
ELSEWHERE = {
    "interp xp": lambda x: np.interp([0.1, 0.2], x, [1.0, 2.0, 4.0]),
    "interp fp": lambda x: np.interp([0.1, 0.6], [0.0, 0.5, 1.0], x),
    "interp left": lambda x: np.interp([-1.0, 0.6], [0.0, 0.5, 1.0], [1.0, 2.0, 3.0], left=x[0]),
    "interp period": lambda x: np.interp([5.0, 0.6], [0.0, 0.2, 0.3], [1.0, 2.0, 3.0], period=x[0] + 1.0),
    "pad constant_values": lambda x: np.pad(np.ones(3), 1, constant_values=x[0]),
    "pad end_values": lambda x: np.pad(np.ones(3), 1, "linear_ramp", end_values=x[0]),
    "linspace stop": lambda x: np.linspace(0.0, x, 3),
    "linspace scalar": lambda x: np.linspace(x[0], 2.0, 3),
    "logspace base": lambda x: np.logspace(0.0, 1.0, 3, base=x[0]),
    "logspace bases": lambda x: np.logspace(0.0, 1.0, 3, base=x),
    "geomspace stop": lambda x: np.geomspace(1.0, x[0], 3),
    "full": lambda x: np.full((2,), x[0]),
    "full of an array": lambda x: np.full((2, 3), x),
    "full_like": lambda x: np.full_like(np.ones(3), x),
    "average weights": lambda x: np.average([1.0, 2.0, 4.0], weights=x),
    "cov aweights": lambda x: np.cov([1.0, 2.0, 4.0], aweights=x),
    "cov y": lambda x: np.cov([1.0, 2.0, 4.0], x),
    "corrcoef y": lambda x: np.corrcoef([1.0, 2.0, 4.0], x),
    "quantile q": lambda x: np.quantile([1.0, 2.0, 4.0], x),
    "percentile q": lambda x: np.percentile([1.0, 2.0, 4.0], x[0] * 50),
    "nanquantile q": lambda x: np.nanquantile([1.0, 2.0, np.nan, 4.0], x[0]),
    "std mean": lambda x: np.std([1.0, 2.0, 4.0], mean=x[:1]),
    "var mean": lambda x: np.var([1.0, 2.0, 4.0], mean=x[:1], keepdims=True),
    "sum initial": lambda x: np.sum([1.0, 2.0], initial=x[0]),
    "prod initial": lambda x: np.prod([1.0, 2.0], initial=x[0]),
    "max initial": lambda x: np.max([0.1, 0.2], initial=x[0]),
    "nansum initial": lambda x: np.nansum([1.0, 2.0], initial=x[0]),
    "bincount weights": lambda x: np.bincount([0, 1, 1], weights=x),
    "histogram weights": lambda x: np.histogram([0.1, 0.2, 0.7], weights=x)[0],
    "histogram bins": lambda x: np.histogram([0.35, 0.6, 0.7], bins=np.sort(x), density=True)[0],
    "histogram range": lambda x: np.histogram([0.35, 0.6, 0.7], range=(x[0] - 1, x[1]))[1],
    "histogram2d weights": lambda x: np.histogram2d([0.1, 0.2, 0.7], [0.1, 0.3, 0.3], 2, weights=x)[0],
    "histogramdd weights": lambda x: np.histogramdd(np.ones((3, 1)), 2, weights=x)[0],
    "gradient spacing": lambda x: np.gradient([1.0, 3.0, 4.0], x[0]),
    "gradient points": lambda x: np.gradient([1.0, 3.0, 4.0], x),
    "trapezoid x": lambda x: np.trapezoid([1.0, 2.0, 3.0], x),
    "trapezoid dx": lambda x: np.trapezoid([1.0, 2.0, 3.0], dx=x[0]),
    "ediff1d to_end": lambda x: np.ediff1d([1.0, 2.0], to_end=x),
    "diff prepend": lambda x: np.diff([1.0, 2.0], prepend=x),
    "insert values": lambda x: np.insert([1.0, 2.0], 1, x),
    "insert a scalar": lambda x: np.insert([1.0, 2.0], 1, x[0]),
    "append values": lambda x: np.append([1.0, 2.0], x),
    "where y": lambda x: np.where([True, False, True], 1.0, x),
    "select default": lambda x: np.select([[True, False]], [[1.0, 2.0]], x[0]),
    "choose choices": lambda x: np.choose([0, 1, 0], [[1.0, 2.0, 3.0], x]),
    "piecewise constants": lambda x: np.piecewise(np.ones(3), [[True, False, True]], [x[0], 2.0]),
    "piecewise functions": lambda x: np.piecewise(np.ones(3), [[True, False, True]], [lambda v: v * x[0], 2.0]),
    "apply_along_axis": lambda x: np.apply_along_axis(lambda v: v * x, 0, np.ones(3)),
    "unwrap period": lambda x: np.unwrap([0.0, 4.0, 8.0], period=x[0] + 3),
    "clip a_max": lambda x: np.clip([0.1, 2.0, 3.0], 0.0, x),
    "nan_to_num nan": lambda x: np.nan_to_num([np.nan, 1.0], nan=x[0]),
    "polyval p": lambda x: np.polyval(x, 2.0),
    "polyval x": lambda x: np.polyval([1.0, 2.0], x),
    "polyint k": lambda x: np.polyint([1.0, 2.0], k=x[0]),
    "polyfit w": lambda x: np.polyfit([0.0, 1.0, 3.0], [1.0, 2.0, 0.0], 1, w=x),
    "polyfit x": lambda x: np.polyfit(x, [1.0, 2.0, 0.0], 1),
    "poly1d": lambda x: np.poly1d([1.0, 2.0])(x),
    "convolve v": lambda x: np.convolve([1.0, 2.0], x),
    "kron b": lambda x: np.kron([1.0, 2.0], x),
    "cross b": lambda x: np.cross([1.0, 2.0, 0.0], x),
    "heaviside": lambda x: np.heaviside([0.0, 1.0, 0.0], x),
    "setdiff1d": lambda x: np.setdiff1d([1.0, 2.0], x),
    "intersect1d": lambda x: np.intersect1d(x, [x[0], 2.0]),
    "block": lambda x: np.block([[np.ones(1), x]]),
    "fill_diagonal": lambda x: np.fill_diagonal(np.ones((3, 3)), x),
    "take out": lambda x: np.take(np.ones(3), [0], out=x[:1]),
    "logn base": lambda x: np.lib.scimath.logn(x, 2.0),
    "scimath.power p": lambda x: np.lib.scimath.power(2.0, x),
    "vectorize": lambda x: np.vectorize(lambda a, b: a * b)([1.0, 2.0, 3.0], x),
    "frompyfunc": lambda x: np.frompyfunc(lambda a: a * a, 1, 1)(x).astype(float),
    "nditer": lambda x: np.nditer([np.ones(3), x]),
    "r_": lambda x: np.r_[1.0, x],
    "c_": lambda x: np.c_[[1.0, 2.0, 3.0], x],
    "mgrid": lambda x: np.mgrid[0 : x[0] : 3j],
    "fromfunction": lambda x: np.fromfunction(lambda i: i * x[0], (3,)),
    "fromiter": lambda x: np.fromiter((e for e in x), float),
    "put_along_axis": lambda x: np.put_along_axis(np.ones(3), np.array([0]), x[:1], 0),
    "place": lambda x: np.place(np.ones(3), [True, False, False], x),
    "meshgrid": lambda x: np.meshgrid([1.0, 2.0], x)[1],
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_traced_in_another_argument(name):
    f, x = ELSEWHERE[name], np.array([0.31, 0.52, 0.84])

    def total(x):
        out = f(x)
        return np.sum(weights(np.shape(primal(out))) * out) if out is not None else 0.0 * x[0]

    try:
        expected = difference_gradient(total, x, 1e-4)
    except Exception:
        expected = None
    for differentiate in (dt.gradient, lambda f, x: dt.jacobian(f, x, mode="forward")):
        try:
            found = differentiate(total, x)
        except dt.DualtapeError:
            assert name in REFUSED, f"{name} is refused"
        except (TypeError, ValueError):
            assert name in REFUSED | BY_NUMPY, f"{name} is refused by NumPy"
        else:
            assert name not in REFUSED
            close(found, expected, 1e-8)


# What cannot be followed, since NumPy asks for memory before it asks dualtape, and what writes into plain arrays.
REFUSED = {
    "interp left",
    "interp period",
    "full_like",
    "sum initial",
    "prod initial",
    "max initial",
    "nansum initial",
    "select default",
    "piecewise functions",
    "apply_along_axis",
    "unwrap period",
    "nan_to_num nan",
    "polyint k",
    "fill_diagonal",
    "take out",
    "vectorize",
    "frompyfunc",
    "r_",
    "c_",
    "fromiter",
    "put_along_axis",
    "place",
    "pad constant_values",
    "pad end_values",
    "full",
    "full of an array",
    "piecewise constants",
}
BY_NUMPY = {"nditer"}


# --- traced numbers --------------------------------------------------------------------------------------------------

NUMBERS = {
    "angle": lambda x: np.angle(x + 1j * x**2) if isinstance(x, float) else x * 0.0 + np.arctan2(x**2, x),
    "append": lambda x: np.append([1.0, 2.0], x) ** 2,
    "average": lambda x: np.average([1.0, 2.0], weights=np.stack([x, x**2])),
    "block": lambda x: np.block([x, x**2]),
    "choose": lambda x: np.choose([0, 1], [x, x**2]),
    "clip": lambda x: np.clip(x, 0.0, 1.0) * np.clip([0.1, 2.0], None, x),
    "convolve": lambda x: np.convolve(np.stack([x, 1.0]), [2.0, 3.0]) * x,
    "cross": lambda x: np.cross(np.stack([x, x**2, 1.0]), [1.0, 2.0, 3.0]) * x,
    "diagflat": lambda x: np.diagflat(x) ** 2,
    "ediff1d": lambda x: np.ediff1d(np.stack([x, x**2])),
    "full": lambda x: np.full_like(x, x**2),
    "geomspace": lambda x: np.geomspace(x, 5.0, 4),
    "gradient": lambda x: np.gradient(np.array([1.0, 3.0, 4.0]) * x, x),
    "heaviside": lambda x: np.heaviside(0.0, x) * x + np.heaviside(x, 0.5) * x,
    "histogram": lambda x: np.histogram(np.stack([0.0, x, 2.0 * x]), 3, density=True)[0],
    "i0": lambda x: np.i0(x),
    "insert": lambda x: np.insert(np.stack([x, x**2]), 1, x**3),
    "interp": lambda x: np.interp(x, [0.0, 0.5, 1.0], [1.0, 0.0, 3.0]) * x,
    "kron": lambda x: np.kron(x, [x, 1.0]) if isinstance(x, float) else np.kron(x, np.stack([x, 1.0])),
    "ldexp": lambda x: np.ldexp(x, 3) * x,
    "linspace": lambda x: np.linspace(x, x**2, 4),
    "logspace": lambda x: np.logspace(x, 1.0, 3, base=x),
    "max": lambda x: np.max(np.stack([x, x**2]), initial=x * 0.1),
    "median": lambda x: np.median(np.stack([x, x**2, x**3, 1.0])),
    "meshgrid": lambda x: np.meshgrid(x, x**2)[1],
    "modf": lambda x: np.modf(3.0 * x)[0] * x,
    "nan_to_num": lambda x: np.nan_to_num(x) ** 2,
    "nansum": lambda x: np.nansum(x) ** 2,
    "nanmean": lambda x: np.nanmean(np.stack([x, np.nan, x**2])),
    "pad": lambda x: np.pad(np.stack([x, x**2]), 1, "reflect"),
    "piecewise": lambda x: np.piecewise(x, [x > 0.5], [lambda y: y**2, 1.0]),
    "poly": lambda x: np.poly(np.stack([x, x**2])),
    "polyval": lambda x: np.polyval([1.0, 2.0, 3.0], x) * np.polyval(np.stack([x, 1.0]), 2.0),
    "quantile": lambda x: np.quantile(np.stack([x, x**2, x**3]), 0.3) * np.quantile(x, 0.4),
    "roots": lambda x: np.sort(np.roots(np.stack([1.0, -3.0, x]))),
    "select": lambda x: np.select([[True, False]], [x**2], x),
    "sinc": lambda x: np.sinc(x),
    "std": lambda x: np.std(np.stack([x, x**2, 2.0])),
    "trapezoid": lambda x: np.trapezoid([1.0, 2.0, 5.0], dx=x) * x,
    "unwrap": lambda x: np.unwrap(np.stack([x, x + 5.0])) * x,
    "vander": lambda x: np.vander(np.stack([x, x**2]), 3),
    "where": lambda x: np.where([True, False], x**2, x),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_traced_numbers(name):
    f = NUMBERS[name]
    total = lambda x: np.sum(weights(np.shape(f(x))) * f(x))
    plain = lambda x: float(total(np.float64(x)) if name != "kron" and name != "angle" else total(float(x)))
    slope = difference_gradient(lambda x: plain(x[0]), np.array([0.7]), 1e-3)[0]
    curvature = difference_gradient(
        lambda x: difference_gradient(lambda x: plain(x[0]), x, 1e-3)[0], np.array([0.7]), 1e-3
    )[0]
    for differentiate in (dt.derivative, dt.gradient):
        close(differentiate(total, 0.7), slope, 1e-9)
        for again in (dt.derivative, dt.gradient):
            close(again(lambda x: differentiate(total, x), 0.7), curvature, 1e-6)
    close(dt.derivative(lambda x: f(x) * 1.0, 0.7), (f(0.7001) - f(0.6999)) / 2e-4, 1e-5)
