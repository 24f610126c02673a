"""Rows for entropies, divergences, losses and their kin, which are made of logarithms."""

from .rule import Rule, Special

__all__ = ["INFORMATION"]

_INF = float("inf")

INFORMATION = (
    Rule(
        name="xlog1py",
        args=("x", "y"),
        value="where(x == 0.0, where(y != y, y, 0.0), x * log1p(y))",
        # As for xlogy: the case is tested on y, so that elsewhere the quotient keeps its derivative in x.
        partials=("log1p(y)", "where(y == -1.0, where(x == 0.0, 0.0, x / (1.0 + y)), x / (1.0 + y))"),
        domain=((-1e3, 1e3), (-0.9, 1e3)),
        reach=((-1e100, 1e100), (1e-100, 1e100)),
        oracle="x * mp.log1p(y)",
        special=(Special((0.0, -1.0), 0.0, (-_INF, 0.0)), Special((0.0, 2.0), 0.0, (None, 0.0))),
        ufuncs=("scipy.special.xlog1py",),
        doc="x log(1 + y), 0 where x is 0",
    ),
    Rule(
        name="entr",
        args=("x",),
        value="where(x == 0.0, 0.0, where(x < 0.0, -INF, -(x * log(x))))",
        partials=("-log(x) - 1.0",),
        domain=((1e-3, 20.0),),
        reach=((1e-100, 1e100),),
        oracle="-x * mp.log(x)",
        special=(Special((0.0,), 0.0, (_INF,)), Special((1.0,), None, (-1.0,)), Special((-1.0,), -_INF, (None,))),
        ufuncs=("scipy.special.entr",),
        doc="-x log(x), 0 at 0",
    ),
    Rule(
        name="rel_entr",
        args=("x", "y"),
        value="where(x > 0.0, where(y > 0.0, x * log(x / y), INF), where(x == 0.0, where(y < 0.0, INF, 0.0), INF))",
        partials=("log(x / y) + 1.0", "-x / y"),
        domain=((0.05, 20.0), (0.05, 20.0)),
        oracle="x * mp.log(x / y)",
        special=(Special((0.0, 2.0), 0.0, (-_INF, 0.0)), Special((2.0, 2.0), 0.0, (1.0, -1.0))),
        ufuncs=("scipy.special.rel_entr",),
        doc="x log(x / y)",
    ),
    Rule(
        name="kl_div",
        args=("x", "y"),
        value="where(x > 0.0, where(y > 0.0, x * log(x / y) - x + y, INF), "
        "where(x == 0.0, where(y < 0.0, INF, y), INF))",
        partials=("log(x / y)", "1.0 - x / y"),
        domain=((0.05, 1.0), (2.0, 20.0)),
        oracle="x * mp.log(x / y) - x + y",
        special=(Special((0.0, 2.0), 2.0, (-_INF, 1.0)), Special((2.0, 2.0), 0.0, (0.0, 0.0))),
        ufuncs=("scipy.special.kl_div",),
        doc="x log(x / y) - x + y",
    ),
    Rule(
        name="huber",
        args=("delta", "r"),
        value="where(delta < 0.0, INF, where(abs(r) <= delta, 0.5 * (r * r), delta * (abs(r) - 0.5 * delta)))",
        partials=(
            "where(abs(r) <= delta, 0.0, abs(r) - delta)",
            "where(abs(r) <= delta, r, delta * sign(r))",
        ),
        domain=((0.1, 3.0), (-6.0, 6.0)),
        oracle="r * r / 2 if abs(r) <= delta else delta * (abs(r) - delta / 2)",
        special=(Special((1.0, 1.0), 0.5, (0.0, 1.0)), Special((1.0, -3.0), 2.5, (2.0, -1.0))),
        ufuncs=("scipy.special.huber",),
        doc="r^2 / 2 up to delta, straight beyond",
    ),
    Rule(
        name="log_expit",
        args=("x",),
        value="-softplus(-x)",
        partials=("sigmoid(-x)",),
        domain=((-30.0, 30.0),),
        reach=((-1e50, 600.0),),
        oracle="-mp.log1p(mp.exp(-x))",
        special=(Special((-_INF,), -_INF, (1.0,)), Special((_INF,), None, (0.0,))),
        ufuncs=("scipy.special.log_expit",),
        doc="logarithm of the logistic function",
    ),
)
