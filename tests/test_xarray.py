"""Programs on xarray's DataArrays over traced values."""

import numpy as np
import pytest

import dualtape as dt
from arrays.differences import agree
from dualtape.errors import ConversionError, InputError

xr = pytest.importorskip("xarray")
pytestmark = pytest.mark.filterwarnings("default")  # xarray's own

X = np.arange(6.0).reshape(2, 3) * 0.3 + 0.5
PLAIN = xr.DataArray(np.arange(6.0).reshape(2, 3) + 1.0, dims=("a", "b"))
ROW = xr.DataArray(np.array([1.0, 2.0, 4.0]), dims="b")


def of(x, **coords):
    return xr.DataArray(x, dims=("a", "b"), coords=coords)


PROGRAMS = {
    "multiply": lambda x: (of(x) * PLAIN).sum(),
    "multiply on the right": lambda x: (PLAIN * of(x)).sum(),
    "with numbers": lambda x: (2.0 ** of(x) - 1.0 / of(x)).sum(),
    "with a traced number": lambda x: (x[0, 0] * PLAIN + PLAIN ** x[1, 1]).sum(),
    "with traced arrays": lambda x: (x * PLAIN + PLAIN / x).sum(),
    "ufunc of both": lambda x: (np.multiply(x, PLAIN) + np.hypot(PLAIN, x)).sum(),
    "ufunc": lambda x: np.sin(of(x)).sum(),
    "by name": lambda x: (of(x) * xr.DataArray(x[0], dims="b") * xr.DataArray(x[:, 1], dims="a")).sum(),
    "new axes": lambda x: (xr.DataArray(x[0], dims="b") * xr.DataArray(x[:, 1], dims="a")).transpose("b", "a") * PLAIN,
    "sum over a dimension": lambda x: of(x).sum("a") ** 2,
    "mean": lambda x: (of(x) ** 2).mean("b"),
    "variance": lambda x: of(x).var("b") + of(x).std(),
    "max": lambda x: of(x).max("b") * of(x).min(),
    "product": lambda x: of(x).prod("a"),
    "isel": lambda x: of(x).isel(a=1, b=2) ** 2,
    "isel of a slice": lambda x: of(x).isel(b=slice(1, None)) ** 2,
    "isel of a list": lambda x: of(x).isel(b=[2, 0]) ** 2,
    "sel": lambda x: of(x, a=[10, 20]).sel(a=20) ** 2,
    "loc": lambda x: of(x, b=["p", "q", "r"]).loc[:, "q":] ** 2,
    "index": lambda x: of(x)[1] ** 2,
    "dot": lambda x: of(x).dot(ROW) ** 2 / 30,
    "xr.dot": lambda x: xr.dot(of(x), PLAIN, ROW, dim="b"),
    "matmul": lambda x: of(x) @ of(x) + (of(x) @ ROW).sum(),
    "transpose": lambda x: of(x).T * of(x).transpose("b", "a"),
    "where": lambda x: of(x).where(of(x) > 1.0, 0.0) * PLAIN,
    "xr.where": lambda x: xr.where(of(x) > 1.0, of(x) ** 2, 0.0),
    "where without": lambda x: of(x).where(of(x) > 1.0).sum(),
    "cumsum": lambda x: of(x).cumsum("b") ** 2,
    "diff": lambda x: of(x).diff("b") ** 2,
    "roll and shift": lambda x: of(x).roll(b=1) * of(x).shift(b=1, fill_value=0.0),
    "concat": lambda x: xr.concat([of(x), PLAIN, of(x) ** 2], "a") ** 2,
    "stack": lambda x: of(x).stack(c=("a", "b")) ** 2,
    "clip": lambda x: of(x).clip(0.6, 1.5) ** 2,
    "assignment": lambda x: _assigned(of(x * 1.0), x),
    "group": lambda x: of(x, b=[0, 0, 1]).groupby("b").sum() ** 2,
    "integral": lambda x: of(x, b=[0.0, 1.0, 3.0]).integrate("b") ** 2,
    "gradient": lambda x: of(x, b=[0.0, 1.0, 3.0]).differentiate("b") ** 2,
    "dataset": lambda x: (xr.Dataset({"u": (("a", "b"), x), "v": (("a", "b"), x**2)}).sum("a") * x[0, 0]).v,
    "apply_ufunc": lambda x: xr.apply_ufunc(lambda t: t.sum(-1) ** 2, of(x), input_core_dims=[["b"]]),
    "traced coordinates": lambda x: of(x, c=("b", x[0] ** 2)).c * PLAIN,
}


def _assigned(a, x):
    a[0, 1] = x[1, 1] ** 2
    a += PLAIN
    return a**2


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name):
    f = PROGRAMS[name]
    agree(lambda x: f(x).data, X, reference=lambda x: np.asarray(f(x)), plain=lambda x: np.asarray(f(x)), order=2)


def test_results_keep_names_and_coordinates():
    def f(x):
        y = of(x, a=[10, 20]).sum("b") * 2.0
        assert isinstance(y, xr.DataArray) and y.dims == ("a",) and list(y.a) == [10, 20]
        assert isinstance(y.data, dt.Array) and y.shape == (2,)
        assert y.sum().shape == () and y.sum().dtype == np.float64
        return y.sum().data

    np.testing.assert_array_equal(dt.gradient(f, X), np.full((2, 3), 2.0))


LOSSES = {
    "values": lambda x: of(x).values,
    "to_numpy": lambda x: of(x).to_numpy(),
    "float": lambda x: float(of(x).sum()),
    "into plain": lambda x: PLAIN.copy().__setitem__((0, 0), x[0, 0]),
}


@pytest.mark.parametrize("name", LOSSES)
def test_nothing_is_lost_silently(name):
    for differentiate in (dt.gradient, lambda f, x: dt.pushforward(f, x, x)):
        with pytest.raises(ConversionError):
            differentiate(LOSSES[name], X)


def test_arguments_and_results_are_arrays():
    for f, x in ((lambda x: of(x).sum(), X), (lambda x: x.sum(), PLAIN)):
        with pytest.raises(InputError, match=r"\.data"):
            dt.gradient(f, x)
