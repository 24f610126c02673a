"""NumPy's functions on 0-d, empty, single-element and ordinary arrays: values, dtypes, errors and derivatives."""

import numpy as np
import pytest

import dualtape as dt
from arrays.random_programs import contract, difference_gradient, primal, weights

pytestmark = pytest.mark.filterwarnings("ignore")

SHAPES = [(), (0,), (1,), (5,), (0, 3), (2, 0), (1, 1), (3, 3), (2, 1, 3)]

# Calls that NumPy accepts for some of the shapes, and refuses for others.
CALLS = {
    "angle": lambda x: np.angle(x),
    "append": lambda x: np.append(x, x),
    "apply_along_axis": lambda x: np.apply_along_axis(lambda v: v[:1] * v[:1], 0, x),
    "apply_over_axes": lambda x: np.apply_over_axes(np.sum, x, [0]),
    "around": lambda x: np.around(x, 1),
    "average": lambda x: np.average(x),
    "average axis": lambda x: np.average(x, axis=0, weights=np.arange(1.0, np.shape(x)[0] + 1)),
    "block": lambda x: np.block([x, x]),
    "choose": lambda x: np.choose(1, [x, x * 2.0]),
    "convolve": lambda x: np.convolve(x, [1.0, 2.0]),
    "convolve valid": lambda x: np.convolve(x, x, "valid"),
    "correlate": lambda x: np.correlate(x, [1.0, 2.0], "same"),
    "corrcoef": lambda x: np.corrcoef(x),
    "cov": lambda x: np.cov(x),
    "cov transposed": lambda x: np.cov(x, rowvar=False),
    "cross": lambda x: np.cross(x, [1.0, 2.0, 3.0]),
    "cumulative_sum": lambda x: np.cumulative_sum(x),
    "cumulative_sum initial": lambda x: np.cumulative_sum(x, axis=-1, include_initial=True),
    "cumulative_prod": lambda x: np.cumulative_prod(x, axis=0),
    "diagflat": lambda x: np.diagflat(x, 1),
    "diff": lambda x: np.diff(x),
    "diff 0": lambda x: np.diff(x, 0),
    "diff negative": lambda x: np.diff(x, -1),
    "diff prepend": lambda x: np.diff(x, axis=0, prepend=1.0),
    "dstack": lambda x: np.dstack([x, x]),
    "ediff1d": lambda x: np.ediff1d(x, to_begin=1.0),
    "extract": lambda x: np.extract(x > 0, x),
    "gradient": lambda x: np.gradient(x),
    "gradient edges": lambda x: np.gradient(x, axis=0, edge_order=2),
    "heaviside": lambda x: np.heaviside(1.0, x) * np.heaviside(x, 0.5),
    "histogram": lambda x: np.histogram(x, 3, density=True)[1],
    "i0": lambda x: np.i0(x),
    "insert": lambda x: np.insert(x, 0, 7.0),
    "insert axis": lambda x: np.insert(x, 1, 7.0, axis=0),
    "interp": lambda x: np.interp(x, [-1.0, 0.2, 2.0], [1.0, 2.0, 0.5]),
    "interp of one point": lambda x: np.interp(0.3, [0.1], x),
    "kron": lambda x: np.kron(x, [[1.0, 2.0]]),
    "ldexp": lambda x: np.ldexp(x, 2),
    "linspace": lambda x: np.linspace(x, 1.0, 3),
    "linspace none": lambda x: np.linspace(x, 1.0, 0),
    "logspace": lambda x: np.logspace(x, 1.0, 3, base=3.0),
    "geomspace": lambda x: np.geomspace(x, 1.0, 3),
    "median": lambda x: np.median(x),
    "median axis": lambda x: np.median(x, axis=0, keepdims=True),
    "meshgrid": lambda x: np.meshgrid(x, [1.0, 2.0])[0],
    "modf": lambda x: np.modf(x)[0],
    "nan_to_num": lambda x: np.nan_to_num(x),
    "nancumsum": lambda x: np.nancumsum(x, axis=0),
    "nanmax": lambda x: np.nanmax(x),
    "nanmean": lambda x: np.nanmean(x, axis=-1),
    "nanmedian": lambda x: np.nanmedian(x, axis=0),
    "nanmin": lambda x: np.nanmin(x, axis=0, keepdims=True),
    "nanprod": lambda x: np.nanprod(x),
    "nanquantile": lambda x: np.nanquantile(x, [0.3, 0.5], axis=0),
    "nanstd": lambda x: np.nanstd(x, axis=0),
    "nansum": lambda x: np.nansum(x, axis=0),
    "nanvar": lambda x: np.nanvar(x, ddof=1),
    "pad": lambda x: np.pad(x, 1),
    "pad constants": lambda x: np.pad(x, (1, 2), constant_values=(3, 4)),
    "pad edge": lambda x: np.pad(x, 2, "edge"),
    "pad linear_ramp": lambda x: np.pad(x, 2, "linear_ramp", end_values=1.0),
    "pad mean": lambda x: np.pad(x, 1, "mean"),
    "pad maximum": lambda x: np.pad(x, 1, "maximum", stat_length=1),
    "pad reflect": lambda x: np.pad(x, 4, "reflect"),
    "pad reflect odd": lambda x: np.pad(x, 4, "reflect", reflect_type="odd"),
    "pad symmetric odd": lambda x: np.pad(x, 4, "symmetric", reflect_type="odd"),
    "pad wrap": lambda x: np.pad(x, 4, "wrap"),
    "pad wrong mode": lambda x: np.pad(x, 1, "sideways"),
    "pad wrong option": lambda x: np.pad(x, 1, "edge", stat_length=3),
    "pad negative": lambda x: np.pad(x, -1),
    "partition": lambda x: np.partition(x, 0),
    "percentile": lambda x: np.percentile(x, 30),
    "percentile axis": lambda x: np.percentile(x, [30, 60.0], axis=-1, keepdims=True),
    "percentile wrong": lambda x: np.percentile(x, 130),
    "piecewise": lambda x: np.piecewise(x, [x > 0.3], [lambda y: y * y, 2.0]),
    "poly": lambda x: np.poly(x) if np.ndim(x) < 2 else np.sum(x),
    "polyadd": lambda x: np.polyadd(x, [1.0, 2.0]),
    "polyder": lambda x: np.polyder(x) if np.ndim(x) < 2 else np.sum(x),
    "polydiv": lambda x: np.polydiv([1.0, 2.0, 5.0], x)[0],
    "polyfit": lambda x: np.polyfit([0.0, 1.0, 2.0, 4.0, 5.0], x, 2),
    "polyint": lambda x: np.polyint(x),
    "polymul": lambda x: np.polymul(x, [1.0, 2.0]),
    "polyval": lambda x: np.polyval([1.0, 2.0, 3.0], x),
    "polyval of coefficients": lambda x: np.polyval(x, 0.7),
    "ptp": lambda x: np.ptp(x, axis=-1),
    "quantile": lambda x: np.quantile(x, 0.3, axis=0, method="hazen"),
    "quantile wrong method": lambda x: np.quantile(x, 0.3, method="best"),
    "quantile wrong axis": lambda x: np.quantile(x, 0.3, axis=7),
    "real_if_close": lambda x: np.real_if_close(x),
    "resize": lambda x: np.resize(x, (2, 2)),
    "roll": lambda x: np.roll(x, 1),
    "roots": lambda x: np.roots(x).real,
    "select": lambda x: np.select([x > 0.3], [x], 2.0),
    "select wrong": lambda x: np.select([x > 0.3], [x, x]),
    "setdiff1d": lambda x: np.setdiff1d(x, [1.0]),
    "sinc": lambda x: np.sinc(x),
    "sliding_window_view": lambda x: np.lib.stride_tricks.sliding_window_view(x, 2, axis=-1),
    "sort_complex": lambda x: np.sort_complex(x).real,
    "std": lambda x: np.std(x, axis=0),
    "take": lambda x: np.take(x, [0, 4], mode="clip"),
    "tile": lambda x: np.tile(x, 2),
    "trapezoid": lambda x: np.trapezoid(x),
    "trapezoid points": lambda x: np.trapezoid([1.0, 2.0, 4.0], x),
    "tril": lambda x: np.tril(x),
    "union1d": lambda x: np.union1d(x, [7.0]),
    "unique": lambda x: np.unique(x),
    "unique axis": lambda x: np.unique(x, axis=0),
    "unstack": lambda x: np.unstack(x)[0],
    "unwrap": lambda x: np.unwrap(x),
    "vander": lambda x: np.vander(x, 3),
    "var": lambda x: np.var(x, ddof=1),
}
# The characteristic polynomial follows the eigenvalues; derivatives of extremes of extremes have ties.


def outcome(run):
    """A result, or the exception in its place."""
    try:
        return run(), None
    except Exception as error:
        return None, error


def differ(name, f, x):
    """What differs from NumPy at a point, as text; None for nothing."""
    expected, error = outcome(lambda: f(x.copy()))
    for mode, run in (
        ("reverse", lambda: dt.pullback(f, x)[0]),
        ("forward", lambda: dt.pushforward(f, x, weights(x.shape))[0]),
        ("nested", lambda: dt.pushforward(lambda y: dt.pullback(f, y)[0], x, weights(x.shape))[0]),
    ):
        found, own = outcome(run)
        where = f"{name} at shape {x.shape}, {mode}: "
        if error is not None or own is not None:
            if error is None or own is None or not isinstance(own, type(error)):
                return where + f"NumPy gives {error!r}, dualtape {own!r}"
            continue
        for a, b in zip(*(v if isinstance(v, tuple | list) else (v,) for v in (found, expected)), strict=True):
            a, b = np.asarray(primal(a)), np.asarray(b)
            if a.shape != b.shape or a.dtype != b.dtype:
                return where + f"NumPy gives {b.shape} of {b.dtype}, dualtape {a.shape} of {a.dtype}"
            if not np.allclose(a, b, rtol=2e-15, atol=2e-15, equal_nan=True):
                return where + f"NumPy gives {b}, dualtape {a}"
    if error is None and not isinstance(expected, tuple | list) and np.all(np.isfinite(expected)):
        scalar = contract(f)
        slopes = difference_gradient(scalar, x, 1e-3)
        for mode in ("forward", "reverse"):
            found = dt.jacobian(scalar, x, mode=mode)
            if np.shape(found) != x.shape or not np.allclose(found, slopes, rtol=1e-8, atol=1e-8):
                return f"{name} at shape {x.shape}, {mode}: slopes {found}, not {slopes}"
    return None


@pytest.mark.parametrize("name", CALLS)
def test_shapes(name):
    f = CALLS[name]
    wrong = [differ(name, f, np.asarray(0.61 + 0.35 * weights(shape, 0.7))) for shape in SHAPES]
    assert [text for text in wrong if text] == []
