"""Rows for Bessel functions of the second kind and scaled ones. Those of the first kind stand in `special`."""

from .rule import Rule, Special

__all__ = ["BESSEL"]

_INF = float("inf")
_ORDER = (0, 4)

BESSEL = (
    Rule(
        name="i0e",
        args=("x",),
        value="i0e(x)",
        partials=("i1e(x) - sign(x) * out",),
        domain=((-20.0, 20.0),),
        oracle="mp.exp(-abs(x)) * mp.besseli(0, x)",
        special=(Special((0.0,), 1.0, (0.0,)),),
        ufuncs=("scipy.special.i0e",),
        kernel="dts_i0e",
        doc="exp(-abs(x)) i0(x)",
    ),
    Rule(
        name="i1e",
        args=("x",),
        value="i1e(x)",
        partials=("0.5 * (i0e(x) + ive(2.0, x)) - sign(x) * out",),
        domain=((-20.0, 20.0),),
        oracle="mp.exp(-abs(x)) * mp.besseli(1, x)",
        special=(Special((0.0,), 0.0, (0.5,)),),
        ufuncs=("scipy.special.i1e",),
        kernel="dts_i1e",
        doc="exp(-abs(x)) i1(x)",
    ),
    Rule(
        name="ive",
        args=("n", "x"),
        value="ive(n, x)",
        partials=(None, "0.5 * (ive(n - 1.0, x) + ive(n + 1.0, x)) - sign(x) * out"),
        domain=(_ORDER, (-12.0, 12.0)),
        oracle="mp.exp(-abs(x)) * mp.besseli(int(n), x)",
        special=(Special((0.0, 0.0), 1.0, (None, 0.0)),),
        ufuncs=("scipy.special.ive",),
        helper=True,
        kernel="dts_ive",
        doc="exp(-abs(x)) iv(n, x)",
    ),
    Rule(
        name="y0",
        args=("x",),
        value="y0(x)",
        partials=("-y1(x)",),
        domain=((0.05, 30.0),),
        oracle="mp.bessely(0, x)",
        special=(Special((0.0,), -_INF, (_INF,)),),
        ufuncs=("scipy.special.y0",),
        kernel="dts_y0",
        doc="Bessel function of the second kind of order 0",
    ),
    Rule(
        name="y1",
        args=("x",),
        value="y1(x)",
        partials=("0.5 * (y0(x) - yn(2.0, x))",),
        domain=((0.05, 30.0),),
        oracle="mp.bessely(1, x)",
        special=(Special((0.0,), -_INF, (None,)),),
        ufuncs=("scipy.special.y1",),
        kernel="dts_y1",
        doc="Bessel function of the second kind of order 1",
    ),
    Rule(
        name="yn",
        args=("n", "x"),
        value="yn(n, x)",
        partials=(None, "0.5 * (yn(n - 1.0, x) - yn(n + 1.0, x))"),
        domain=(_ORDER, (0.05, 30.0)),
        oracle="mp.bessely(int(n), x)",
        special=(Special((0.0, 0.0), -_INF, (None, _INF)),),
        ufuncs=("scipy.special.yn",),
        helper=True,
        kernel="dts_yn",
        doc="Bessel function of the second kind of integral order n",
    ),
)
