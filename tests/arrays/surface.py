"""NumPy's functions as programs of one array, with the points at which they are differentiated.

One row for each function and each group of its options. All numbers that the derivative depends on come from the one
array x, so that a row differentiates in every operand that may be traced.
"""

from typing import NamedTuple

import numpy as np

from arrays.random_programs import weights


class Row(NamedTuple):
    """A program, and where it is differentiated."""

    f: object
    x: object = (2, 3)  # a shape, or the point itself
    smooth: bool = True  # whether complex steps go through it
    conjugates: bool = False  # whether complex arrays do, though complex steps do not

    def point(self):
        """The point: numbers in (-1, 1) without ties."""
        return np.array(self.x) if isinstance(self.x, np.ndarray) else 0.95 * weights(self.x, 0.3)


SIGNED = np.array([[0.43, -0.62, 0.91], [-0.33, 0.72, -0.81]])
NAN = np.array([[0.3, np.nan, -0.5], [0.9, 0.1, np.nan]])
MASK = np.array([[True, False, True], [False, True, True]])
C23, C3 = weights((2, 3), 7), weights((3,), 8)
XP = np.array([-1.0, -0.2, 0.5, 1.1])
ONES = np.ones((2, 3))


def _into(write):
    """A program that lets `write` change a copy of x, given x."""

    def f(x):
        out = x * 2.0
        write(out, x)
        return out * out

    return f


def _ends(vector, width, axis, kwargs):
    """A mode of np.pad: sums before, and a number after."""
    vector[: width[0]] = vector[width[0] : len(vector) - width[1]].sum() + axis
    vector[len(vector) - width[1] :] = kwargs["end"]


def _pads(mode, **kwargs):
    return lambda x: np.pad(x, ((2, 1), (0, 3)), mode, **kwargs)


JOINS = {
    "block": Row(lambda x: np.block([[x, x[:, :1] * 2.0], [np.ones((1, 3)), x[:1, :1]]])),
    "block of scalars": Row(lambda x: np.block([x[0, 0] * x[0, 1], x[0], 3.0])),
    "dstack": Row(lambda x: np.dstack([x, C23, x * x])),
    "insert": Row(lambda x: np.insert(x, [0, 2], x[0, :2] ** 2, axis=1)),
    "insert flat": Row(lambda x: np.insert(x, 1, x[0, 0] * 3.0)),
    "insert a slice": Row(lambda x: np.insert(x, slice(0, 2), 2.5, axis=0)),
    "diagflat": Row(lambda x: np.diagflat(x, -1)),
    "unstack": Row(lambda x: np.unstack(x, axis=1)[1] * x[:, 0]),
    "meshgrid": Row(lambda x: np.stack(np.meshgrid(x[0], x[1, :2]))),
    "meshgrid ij": Row(lambda x: np.stack(np.meshgrid(x[0], x[1, :2], C3, indexing="ij"))),
    "meshgrid sparse": Row(lambda x: np.multiply(*np.meshgrid(x[0], x[1, :2], sparse=True, copy=False))),
    "sliding_window_view": Row(lambda x: np.lib.stride_tricks.sliding_window_view(x, 2, axis=1) * x[:, :1, None]),
    "pad constant": Row(_pads("constant")),
    "pad constants": Row(_pads("constant", constant_values=((1.0, 2.0), (3.0, 4.0)))),
    "pad traced constant": Row(lambda x: np.pad(x, (1, 2), constant_values=x[0, 0] * x[1, 1])),
    "pad traced constants": Row(lambda x: np.pad(x, ((1, 0), (2, 1)), constant_values=[[x[0, 0], 1.0], [x[0, 1], 2]])),
    "pad edge": Row(_pads("edge")),
    "pad linear_ramp": Row(_pads("linear_ramp", end_values=((1.0, 2.0), (3.0, 4.0)))),
    "pad traced linear_ramp": Row(lambda x: np.pad(x, 2, "linear_ramp", end_values=x[0, 0] * x[0, 1])),
    "pad maximum": Row(_pads("maximum")),
    "pad mean": Row(_pads("mean", stat_length=((1, 2), (2, 3)))),
    "pad median": Row(_pads("median"), smooth=False),
    "pad minimum": Row(_pads("minimum", stat_length=2)),
    "pad reflect": Row(lambda x: np.pad(x, ((4, 3), (2, 7)), "reflect")),
    "pad reflect odd": Row(lambda x: np.pad(x, ((4, 3), (2, 7)), "reflect", reflect_type="odd")),
    "pad symmetric": Row(lambda x: np.pad(x, ((4, 3), (2, 7)), "symmetric")),
    "pad symmetric odd": Row(lambda x: np.pad(x, ((4, 3), (2, 7)), "symmetric", reflect_type="odd")),
    "pad wrap": Row(lambda x: np.pad(x, ((4, 3), (2, 7)), "wrap")),
    "pad by a function": Row(lambda x: np.pad(x, ((1, 2), (0, 1)), _ends, end=x[0, 0] * x[0, 1])),
    "pad a vector by a function": Row(lambda x: np.pad(x[0], (1, 2), _ends, end=2.0) ** 2),
    "pad by a dict": Row(lambda x: np.pad(x, {-1: (1, 2)}, "edge")),
}

CHOICES = {
    "choose": Row(lambda x: np.choose([0, 1, 1], [x[0], x[1] ** 2])),
    "choose clip": Row(lambda x: np.choose(np.array([[0], [5]]), x, mode="clip")),
    "select": Row(lambda x: np.select([MASK, C23 > 0], [x, x * x], 0.5)),
    "select traced default": Row(lambda x: np.select([MASK[0]], [x[0]], x[1, 0])),
    "extract": Row(lambda x: np.extract(MASK, x)),
    "piecewise": Row(lambda x: np.piecewise(x, [MASK], [lambda y: y * y, np.sin])),
    "piecewise constants": Row(lambda x: np.piecewise(x, [MASK, ~MASK], [3.0, lambda y, c: c * y * y], 2.0)),
    "put": Row(_into(lambda out, x: np.put(out, [0, 4, 0], x[0] ** 2))),
    "put wrap": Row(_into(lambda out, x: np.put(out, [7, -1], [x[0, 0] * x[0, 1]], mode="wrap"))),
    "place": Row(_into(lambda out, x: np.place(out, MASK, x[0, :2] ** 2))),
    "putmask": Row(_into(lambda out, x: np.putmask(out, MASK, x * x))),
    "putmask repeats": Row(_into(lambda out, x: np.putmask(out, MASK, x[0, :2]))),
    "put_along_axis": Row(_into(lambda out, x: np.put_along_axis(out, np.array([[2], [0]]), x[:, 1:2] ** 2, axis=1))),
    "copyto": Row(_into(lambda out, x: np.copyto(out, x[0] ** 2, where=MASK))),
    "fill_diagonal": Row(_into(lambda out, x: np.fill_diagonal(out, x[0, 1] ** 2))),
    "partition": Row(lambda x: np.partition(x, 1, axis=1) * C23, smooth=False),
    "partition all": Row(lambda x: np.sort(np.partition(x, (1, 3), axis=None)[:4]), smooth=False),
    "sort_complex": Row(lambda x: np.sort_complex(x[0]) * C3, smooth=False),
    "unique": Row(lambda x: np.unique(np.concatenate([x[0], x[1, :1], x[0]])) * np.arange(1.0, 5.0), smooth=False),
    "unique of rows": Row(lambda x: np.unique(np.concatenate([x, x]), axis=0, return_counts=True)[0], smooth=False),
    "unique_all": Row(lambda x: np.unique_all(x).values * np.arange(6.0), smooth=False),
    "unique_counts": Row(lambda x: np.unique_counts(x).values * np.arange(6.0), smooth=False),
    "unique_inverse": Row(lambda x: np.unique_inverse(x).values * np.arange(6.0), smooth=False),
    "unique_values": Row(lambda x: np.sort(np.unique_values(x)) * np.arange(6.0), smooth=False),
    "union1d": Row(lambda x: np.union1d(x[0], x[1]) * np.arange(6.0), smooth=False),
    "intersect1d": Row(lambda x: np.intersect1d(x, x[0]) * C3, smooth=False),
    "setdiff1d": Row(lambda x: np.setdiff1d(x, x[0]) * C3, smooth=False),
    "setxor1d": Row(lambda x: np.setxor1d(x, x[0]) * C3, smooth=False),
    "take mode": Row(lambda x: np.take(x, [1, 5], axis=1, mode="wrap") * np.take(x, [7], mode="clip")),
    "take out": Row(lambda x: np.take(x, [1, 0], axis=1, out=x[:, :2] * 1.0)),
    "resize": Row(lambda x: np.resize(x, (3, 5))),
    "tril and triu": Row(lambda x: np.tril(x, -1) + 2.0 * np.triu(x, 1)),
    "roll": Row(lambda x: np.roll(x, (1, 2), axis=(0, 1)) * x),
    "astype": Row(lambda x: np.astype(x, complex).real * x, smooth=False),
}

STATISTICS = {
    "average": Row(lambda x: np.average(x, axis=1)),
    "average weights": Row(lambda x: np.average(x, axis=1, weights=[1.0, 2.0, 4.0], keepdims=True)),
    "average traced weights": Row(lambda x: np.average(x * x, axis=0, weights=x[:, 0] + 3.0)),
    "average returned": Row(lambda x: np.stack(np.average(x, axis=0, weights=x + 2.0, returned=True))),
    "std": Row(lambda x: np.std(x, axis=1, ddof=1, keepdims=True), smooth=False, conjugates=True),
    "std where": Row(lambda x: np.std(x, axis=1, where=MASK), smooth=False, conjugates=True),
    "var mean": Row(lambda x: np.var(x, axis=1, mean=x[:, :1] * 0.5 + 0.1), smooth=False, conjugates=True),
    "var correction": Row(lambda x: np.var(x, correction=0.5), smooth=False, conjugates=True),
    "cov": Row(lambda x: np.cov(x), smooth=False, conjugates=True),
    "cov options": Row(lambda x: np.cov(x, x * x, rowvar=False, bias=True), smooth=False, conjugates=True),
    "cov ddof": Row(lambda x: np.cov(x[0], x[1], ddof=0), smooth=False, conjugates=True),
    "cov weights": Row(
        lambda x: np.cov(x, fweights=[1, 2, 1], aweights=[0.5, 1.5, 1.0]), smooth=False, conjugates=True
    ),
    "cov traced weights": Row(lambda x: np.cov(x[:1], aweights=x[1] + 2.0), smooth=False),
    "corrcoef": Row(lambda x: np.corrcoef(np.vstack([x, x[:1] ** 2]))[:2, 1:], smooth=False),
    "corrcoef of two": Row(
        lambda x: np.corrcoef(x[0], x[1])[0, 1] * np.corrcoef(x.T, rowvar=False)[1, 0], smooth=False
    ),
    "bincount": Row(lambda x: np.bincount([0, 2, 2], x[0] * x[1], minlength=5), smooth=False),
    "histogram weights": Row(
        lambda x: np.histogram([0.1, 0.4, 0.9], 3, weights=x[0] * x[1])[0], smooth=False, conjugates=True
    ),
    "histogram edges": Row(lambda x: np.histogram(x, 4)[1], smooth=False),
    "histogram density": Row(lambda x: np.histogram(x, 3, density=True)[0], smooth=False),
    "histogram of a range": Row(lambda x: np.histogram(x, 3, range=(-1.0, 1.0), density=True)[0] + x[0], smooth=False),
    "histogram_bin_edges": Row(lambda x: np.histogram_bin_edges(x, "sturges"), smooth=False),
    "histogram2d": Row(lambda x: np.histogram2d(x[0], x[1], 2, weights=x[0] ** 2, density=True)[0], smooth=False),
    "histogramdd": Row(lambda x: np.histogramdd(x.T, (2, 3))[1][1], smooth=False),
    "median": Row(lambda x: np.median(x, axis=1), smooth=False),
    "median even": Row(lambda x: np.median(x, axis=0, keepdims=True) * np.median(x), smooth=False),
    "median axes": Row(lambda x: np.median(x, axis=(0, 2)), (2, 3, 2), smooth=False),
    "percentile": Row(lambda x: np.percentile(x, [10, 50.0, 88], axis=1), smooth=False),
    "percentile keepdims": Row(lambda x: np.percentile(x, 33.0, axis=(0, 1), keepdims=True), smooth=False),
    "quantile of traced q": Row(lambda x: np.quantile(x[0], 0.5 + x[1, :2] / 9.0), smooth=False),
    "quantile weights": Row(
        lambda x: np.quantile(x, [0.2, 0.7], axis=1, weights=[1.0, 3.0, 2.0], method="inverted_cdf"), smooth=False
    ),
    "ptp": Row(lambda x: np.ptp(x, axis=1)),
    "max where": Row(lambda x: np.max(x, axis=1, where=MASK, initial=-5.0)),
    "min initial": Row(lambda x: np.min(x, initial=-0.5)),
}
METHODS = (
    "inverted_cdf", "averaged_inverted_cdf", "closest_observation", "interpolated_inverted_cdf", "hazen", "weibull",
    "linear", "median_unbiased", "normal_unbiased", "lower", "higher", "midpoint", "nearest",
)  # fmt: skip
for _m in METHODS:
    STATISTICS[f"quantile {_m}"] = Row(
        lambda x, m=_m: np.quantile(x, [0.0, 0.13, 0.5, 0.8, 1.0], axis=1, method=m), (2, 5), smooth=False
    )
    STATISTICS[f"nanquantile {_m}"] = Row(
        lambda x, m=_m: np.nanquantile(x, 0.41, axis=0, method=m), (5, 2), smooth=False
    )


def _holed(function):
    """A function of an array in which two numbers are NaN."""
    return lambda x: function(np.where(np.isnan(NAN), np.nan, x))


NAN_FUNCTIONS = {
    "nansum": Row(_holed(lambda x: np.nansum(x, axis=1, keepdims=True))),
    "nansum where": Row(_holed(lambda x: np.nansum(x, axis=0, where=MASK, initial=2.0))),
    "nanprod": Row(_holed(lambda x: np.nanprod(x, axis=0))),
    "nanmean": Row(_holed(lambda x: np.nanmean(x, axis=1))),
    "nanmean all": Row(_holed(lambda x: np.nanmean(x))),
    "nanvar": Row(_holed(lambda x: np.nanvar(x, axis=1)), smooth=False, conjugates=True),
    "nanvar ddof": Row(_holed(lambda x: np.nanvar(x, ddof=1, keepdims=True)), smooth=False, conjugates=True),
    "nanstd": Row(_holed(lambda x: np.nanstd(x, axis=1, ddof=1)), smooth=False, conjugates=True),
    "nanmax": Row(_holed(lambda x: np.nanmax(x, axis=1)), smooth=False),
    "nanmin": Row(_holed(lambda x: np.nanmin(x, axis=0, keepdims=True)), smooth=False),
    "nancumsum": Row(_holed(lambda x: np.nancumsum(x, axis=1))),
    "nancumprod": Row(_holed(lambda x: np.nancumprod(x))),
    "nanmedian": Row(_holed(lambda x: np.nanmedian(x, axis=1)), smooth=False),
    "nanmedian all": Row(_holed(lambda x: np.nanmedian(x, keepdims=True)), smooth=False),
    "nanpercentile": Row(_holed(lambda x: np.nanpercentile(x, [20, 70.0], axis=1)), smooth=False),
    "nanquantile": Row(_holed(lambda x: np.nanquantile(x, 0.6, axis=0)), smooth=False),
    "nan_to_num": Row(_holed(lambda x: np.nan_to_num(x, nan=2.0)), smooth=False, conjugates=True),
}

GRIDS = {
    "linspace": Row(lambda x: np.linspace(x[0, 0], x[0, 1] + 3.0, 5)),
    "linspace of arrays": Row(lambda x: np.linspace(x[0], x[1, 0], 4, endpoint=False, axis=1)),
    "linspace retstep": Row(lambda x: np.linspace(0.0, x[0], 3, retstep=True)[1] * np.linspace(x[0, 0], 1.0, 1)),
    "logspace": Row(lambda x: np.logspace(x[0, 0], x[0, 1], 4, base=2.0 + x[1, 1])),
    "logspace of bases": Row(lambda x: np.logspace(0.0, x[0, 0], 3, base=2.0 + x[1])),
    "geomspace": Row(lambda x: np.geomspace(2.0 + x[0], 20.0 + x[1], 4, axis=1)),
    "geomspace open": Row(lambda x: np.geomspace(2.0 + x[0, 0], 7.0, 4, endpoint=False)),
    "interp": Row(lambda x: np.interp(x[0], XP, np.concatenate([x[1] ** 2, x[0, :1]])), smooth=False),
    "interp traced points": Row(
        lambda x: np.interp([[0.1, 0.7], [-3.0, 3.0]], XP + 0.1 * x[0, 0], XP**2), smooth=False
    ),
    "interp ends": Row(lambda x: np.interp([-2.0, 0.3, 2.0], XP, XP * x[0, 0], x[0, 1], x[0, 2]), smooth=False),
    "interp period": Row(lambda x: np.interp(x * 3.0, XP, XP**2, period=1.3), smooth=False),
    "interp complex": Row(lambda x: np.interp(x[0], XP, XP * (1 + 2j)) * x[0, 0], smooth=False),
    "ediff1d": Row(lambda x: np.ediff1d(x, x[0, :2] ** 2, [x[1, 1], 3.0])),
    "trapezoid": Row(lambda x: np.trapezoid(x, axis=0, dx=0.5)),
    "trapezoid points": Row(lambda x: np.trapezoid(x * x, x[0], axis=1)),
    "trapezoid points of all": Row(lambda x: np.trapezoid(x, x * x, axis=0)),
    "trapezoid traced dx": Row(lambda x: np.trapezoid(x, dx=x[0, 0])),
    "unwrap": Row(lambda x: np.unwrap(x * 9.0, axis=0), smooth=False),
    "unwrap period": Row(lambda x: np.unwrap(x[0] * 5.0, period=1.0 + x[1, 1] / 9), smooth=False),
    "gradient": Row(lambda x: np.gradient(x, 0.5, axis=1)),
    "gradient all axes": Row(lambda x: np.stack(np.gradient(x))),
    "gradient second order": Row(lambda x: np.gradient(x, x[0, 0] + 2.0, axis=0, edge_order=2), (3, 2)),
    "gradient points": Row(lambda x: np.gradient(x, [0.0, 0.4, 1.5], axis=1)),
    "gradient equal points": Row(lambda x: np.gradient(x, [0.0, 0.5, 1.0], axis=1, edge_order=2)),
    "gradient traced points": Row(lambda x: np.gradient(x[0] ** 2, [0, 1, 3] + x[1] / 9, edge_order=2)),
    "diff": Row(lambda x: np.diff(x, n=2, axis=1, prepend=0.5, append=x[:, :1])),
    "cumulative_sum": Row(lambda x: np.cumulative_sum(x, axis=1, include_initial=True)),
    "cumulative_prod": Row(lambda x: np.cumulative_prod(x, axis=0, include_initial=True)),
}

PRODUCTS = {
    "convolve": Row(lambda x: np.convolve(x[0], x[1, :2])),
    "convolve same": Row(lambda x: np.convolve(x[0, :2], x[1], "same")),
    "convolve valid": Row(lambda x: np.convolve(x[0], x[1, :2], "valid")),
    "convolve same even": Row(lambda x: np.convolve(x.ravel(), x[1, :2], "same")),
    "correlate": Row(lambda x: np.correlate(x.ravel(), x[0]), smooth=False, conjugates=True),
    "correlate same": Row(lambda x: np.correlate(x.ravel(), x[0, :2], "same"), smooth=False, conjugates=True),
    "correlate same swapped": Row(
        lambda x: np.correlate(x[0, :2], x.ravel()[:5], "same"), smooth=False, conjugates=True
    ),
    "correlate full swapped": Row(lambda x: np.correlate(x[0, :2], x[1], "full"), smooth=False, conjugates=True),
    "correlate valid swapped": Row(lambda x: np.correlate(x[0, :2], x.ravel()[:5]), smooth=False, conjugates=True),
    "correlate with plain": Row(lambda x: np.correlate(C3, x[0], "full"), smooth=False, conjugates=True),
    "kron": Row(lambda x: np.kron(x, x[0])),
    "kron of other ranks": Row(lambda x: np.kron(C3, x * x)),
    "kron of a number": Row(lambda x: np.kron(x[0, 0], x)),
    "cross": Row(lambda x: np.cross(x, x[::-1] ** 2)),
    "cross axes": Row(lambda x: np.cross(x, C23.T[:, :1], axisa=1, axisb=0, axisc=0), (1, 3)),
    "vecdot": Row(lambda x: np.vecdot(x, x[0]), smooth=False, conjugates=True),
    "vecdot axis": Row(lambda x: np.vecdot(x, C23 + 0.5, axis=0), smooth=False, conjugates=True),
    "einsum optimize": Row(lambda x: np.einsum("ij,kj,kl->il", x, C23, x, optimize="optimal")),
    "einsum path": Row(lambda x: np.einsum("ij,kj->ik", x, x, optimize=np.einsum_path("ij,kj->ik", x, x)[0])),
    "vander": Row(lambda x: np.vander(x[0], 4)),
    "vander increasing": Row(lambda x: np.vander(x[0], increasing=True)),
}

POLYNOMIALS = {
    "polyval": Row(lambda x: np.polyval(x[0], x[1])),
    "polyval matrix": Row(lambda x: np.polyval([1.0, -2.0, 0.5], x)),
    "polyadd": Row(lambda x: np.polyadd(x[0], x[1, :2])),
    "polysub": Row(lambda x: np.polysub(x[1, :2], x[0])),
    "polymul": Row(lambda x: np.polymul(x[0], x[1, :2])),
    "polyder": Row(lambda x: np.polyder(x.ravel(), 2)),
    "polyint": Row(lambda x: np.polyint(x[0], 2, k=[x[1, 0], 2.0])),
    "polydiv": Row(lambda x: np.concatenate(np.polydiv(x.ravel(), [2.0 + x[0, 0], 1.0, x[1, 1]]))),
    "poly": Row(lambda x: np.poly(x[0])),
    "roots": Row(lambda x: np.sort(np.roots(np.concatenate([[1.0], x[0]])).real), smooth=False),
    "roots complex": Row(
        lambda x: np.roots([1.0 + x[0, 0], 0.2 * x[1, 1], 4.0 + x[0, 1]])[0], smooth=False, conjugates=True
    ),
    "roots real": Row(lambda x: np.roots([1.0, 5.0 + x[0, 0], 2.0 + x[1, 1], x[0, 1], 0.0]), smooth=False),
    "polyfit": Row(lambda x: np.polyfit(XP + x.ravel()[:4] / 9, XP**2 + x.ravel()[2:] / 3, 2), smooth=False),
    "polyfit weights": Row(lambda x: np.polyfit([0.0, 1.0, 2.5], x[0], 1, w=x[1] + 3.0), smooth=False),
    "polyfit of columns": Row(lambda x: np.polyfit(XP, np.stack([x.ravel()[:4], x.ravel()[1:5]], 1), 1)),
    "polyfit cov": Row(lambda x: np.polyfit(XP + x[0, 0] / 9, x.ravel()[:4], 1, cov=True)[1], smooth=False),
    "polyfit full": Row(lambda x: np.polyfit(XP, x.ravel()[:4], 1, full=True)[1], smooth=False),
}

POINTWISE = {
    "angle": Row(lambda x: np.angle(x[0] + 1j * x[1], deg=True), smooth=False),
    "sinc": Row(np.sinc),
    "i0": Row(np.i0, 3.0 * weights((2, 3), 0.3), smooth=False),
    "real_if_close": Row(lambda x: np.real_if_close(x * (1 + 0j)), SIGNED, smooth=False, conjugates=True),
    "nan_to_num infinite": Row(lambda x: np.nan_to_num(np.where(MASK, np.inf, x), posinf=2.0) * x, smooth=False),
    "nan_to_num in place": Row(_into(lambda out, x: np.nan_to_num(out, copy=False)), smooth=False),
    "heaviside": Row(lambda x: np.heaviside(C23, x) + np.heaviside([0.0, 1.0, -1.0], x), smooth=False),
    "ldexp": Row(lambda x: np.ldexp(x, [1, -2, 3]), smooth=False),
    "frexp": Row(lambda x: np.frexp(x * 9.0)[0], SIGNED, smooth=False),
    "modf": Row(lambda x: np.modf(x * 3.0)[0] * np.modf(x * 3.0)[1], SIGNED, smooth=False),
    "fix": Row(lambda x: np.fix(x * 5.0) * x, SIGNED, smooth=False),
    "round": Row(lambda x: np.round(x, 1) * x, SIGNED, smooth=False),
    "clip": Row(lambda x: np.clip(x, min=-0.5, max=x[0, 0])),
    "scimath.sqrt": Row(lambda x: np.lib.scimath.sqrt(x), SIGNED, smooth=False),
    "scimath.log": Row(lambda x: np.lib.scimath.log(x) + np.lib.scimath.log2(x), SIGNED, smooth=False),
    "scimath.log10": Row(lambda x: np.lib.scimath.log10(x), SIGNED, smooth=False),
    "scimath.logn": Row(lambda x: np.lib.scimath.logn(3.0 + x[0], x), SIGNED, smooth=False),
    "scimath.power": Row(lambda x: np.lib.scimath.power(x, 1.5), SIGNED, smooth=False),
    "scimath.arccos": Row(
        lambda x: np.lib.scimath.arccos(x * 2.0) + np.lib.scimath.arcsin(x * 2.0), SIGNED, smooth=False
    ),
    "scimath.arctanh": Row(lambda x: np.lib.scimath.arctanh(x * 2.0), SIGNED, smooth=False),
}

MAPPING = {
    "apply_along_axis": Row(lambda x: np.apply_along_axis(lambda v: v * np.sum(v**2), 1, x)),
    "apply_along_axis to scalars": Row(lambda x: np.apply_along_axis(lambda v, c: np.prod(v) * c, 0, x, 3.0)),
    "apply_along_axis to matrices": Row(lambda x: np.apply_along_axis(np.diag, 1, x)),
    "apply_over_axes": Row(lambda x: np.apply_over_axes(np.sum, x**2, [0, 2]), (2, 3, 2)),
    "asarray": Row(lambda x: np.asarray([x[0, 0], 2.0], like=x) * np.asanyarray(x[0, :2], like=x)),
    "array": Row(lambda x: np.array([x[0], x[1] ** 2], like=x)),
    "zeros and full": Row(lambda x: np.full((2,), x[0, 0], like=x) + np.zeros(2, like=x) + np.ones(2, like=x)),
    "eye": Row(lambda x: np.eye(3, like=x) * x[0] + np.identity(3, like=x) + np.tri(3, like=x) * x[1]),
    "arange": Row(lambda x: np.arange(3.0, like=x) * x),
}

UFUNC_METHODS = {
    "logaddexp.reduce": Row(lambda x: np.logaddexp.reduce(x, axis=(0, 1)), smooth=False),
    "logaddexp.reduce where": Row(lambda x: np.logaddexp.reduce(x, axis=1, where=MASK, keepdims=True), smooth=False),
    "logaddexp.reduce initial": Row(lambda x: np.logaddexp.reduce(x, axis=0, initial=x[0, 0]), smooth=False),
    "hypot.reduce initial": Row(lambda x: np.hypot.reduce(x, axis=None, initial=0.5, where=MASK), smooth=False),
    "subtract.reduce": Row(lambda x: np.subtract.reduce(x, axis=1, keepdims=True)),
    "divide.reduce initial": Row(lambda x: np.divide.reduce(x + 3.0, axis=1, initial=2.0)),
    "power.reduce": Row(lambda x: np.power.reduce(x + 2.0, axis=0)),
    "add.reduceat": Row(lambda x: np.add.reduceat(x, [0, 2, 1], axis=1) * x),
    "multiply.reduceat": Row(lambda x: np.multiply.reduceat(x, [1, 0], axis=0)),
    "maximum.reduceat": Row(lambda x: np.maximum.reduceat(x.ravel(), [0, 3])),
    "put method": Row(_into(lambda out, x: out.put([0, 4], x[0, :2] ** 2))),
    "partition method": Row(_into(lambda out, x: out.partition(1, axis=0)), smooth=False),
    "sign of complex": Row(lambda x: np.sign(x[0] + 1j * x[1]) * x[0], smooth=False),
}

GROUPS = {
    "joins": JOINS, "choices": CHOICES, "statistics": STATISTICS, "nan": NAN_FUNCTIONS, "grids": GRIDS,
    "products": PRODUCTS, "polynomials": POLYNOMIALS, "pointwise": POINTWISE, "mapping": MAPPING,
    "ufuncs": UFUNC_METHODS,
}  # fmt: skip
ROWS = {name: row for group in GROUPS.values() for name, row in group.items()}
