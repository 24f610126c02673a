"""SymPy's expressions: every function as SymPy writes it, exactly."""

import sys

from .namespace import Namespace

__all__ = ["SympyNamespace"]

# Rows whose function SymPy has under the same name.
_SAME = "sqrt cbrt exp log sin cos tan asin acos atan atan2 sinh cosh tanh asinh acosh atanh floor sign erf erfc"


class SympyNamespace(Namespace):
    """SymPy expressions.

    Notes
    -----
    A condition on a symbol has no truth value, so that partials with a case distinction (of ``maximum``,
    ``relu``) are there for symbols only where the assumptions decide it.
    """

    name = "SymPy expressions"

    def __init__(self):
        # Whoever has an expression has imported SymPy.
        self.sympy = sy = sys.modules["sympy"]
        functions = {name: getattr(sy, name) for name in (_SAME + " gamma digamma polygamma").split()}

        def order_of(function):
            """The n-th derivative of a function of one number."""

            def derivative(n, x):
                t = sy.Dummy("t")
                return sy.diff(function(t), t, int(n)).subs(t, x)

            return derivative

        def ndtr(x):
            return sy.erfc(-x / sy.sqrt(2)) / 2

        functions |= {
            "exp2": lambda x: sy.Integer(2) ** x,
            "expm1": lambda x: sy.exp(x) - 1,
            "log1p": lambda x: sy.log(1 + x),
            "log2": lambda x: sy.log(x) / sy.log(2),
            "log10": lambda x: sy.log(x) / sy.log(10),
            "hypot": lambda x, y: sy.sqrt(x * x + y * y),
            "ceil": sy.ceiling,
            "trunc": lambda x: sy.sign(x) * sy.floor(sy.Abs(x)),
            "copysign": lambda x, y: sy.Abs(x) * sy.sign(y),
            "minimum": sy.Min,
            "maximum": sy.Max,
            "fmin": sy.Min,
            "fmax": sy.Max,
            "clip": lambda x, lo, hi: sy.Min(sy.Max(x, lo), hi),
            "relu": lambda x: sy.Max(x, 0),
            "logit": lambda x: sy.log(x / (1 - x)),
            "softplus": lambda x: sy.log(1 + sy.exp(x)),
            "logaddexp": lambda x, y: sy.log(sy.exp(x) + sy.exp(y)),
            "logaddexp2": lambda x, y: sy.log(sy.Integer(2) ** x + sy.Integer(2) ** y) / sy.log(2),
            "lgamma": sy.loggamma,
            "sinc": lambda x: sy.sinc(sy.pi * x),
            "sinc_n": order_of(lambda t: sy.sinc(sy.pi * t)),
            "ndtr": ndtr,
            "log_ndtr": lambda x: sy.log(ndtr(x)),
            "log_ndtr_n": order_of(lambda t: sy.log(ndtr(t))),
            "i0": lambda x: sy.besseli(0, x),
            "i1": lambda x: sy.besseli(1, x),
            "iv": sy.besseli,
            "j0": lambda x: sy.besselj(0, x),
            "j1": lambda x: sy.besselj(1, x),
            "jv": sy.besselj,
        }
        super().__init__(functions)

    def number(self, text):
        """See `Namespace.number`."""
        return self.sympy.Rational(text)

    def constant(self, name):
        """See `Namespace.constant`."""
        sy = self.sympy
        match name:
            case "PI":
                return sy.pi
            case "LN2":
                return sy.log(2)
            case "LN10":
                return sy.log(10)
            case "SQRT_2":
                return sy.sqrt(2)
            case "SQRT_PI":
                return sy.sqrt(sy.pi)
            case "SQRT_2PI":
                return sy.sqrt(2 * sy.pi)
            case "INF":
                return sy.oo
            case _:
                return sy.nan

    def lift(self, value):
        """See `Namespace.lift`."""
        return self.sympy.Integer(value) if type(value) is int else value

    def is_number(self, value):
        """See `Namespace.is_number`."""
        return isinstance(value, self.sympy.Expr)
