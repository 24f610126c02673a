"""mpmath's numbers: every function of the table, at the precision that is current when it is called."""

from .namespace import Namespace
from .orders import erfcx_n, log_ndtr_n, sinc_n

__all__ = ["MpmathNamespace"]

# Rows whose function mpmath has under the same name.
_SAME = (
    "sqrt exp expm1 log log10 log1p sin cos tan asin acos atan atan2 sinh cosh tanh asinh acosh atanh"
    " hypot floor ceil sign erf erfc erfinv gamma rgamma digamma beta hyp1f1"
)


class MpmathNamespace(Namespace):
    """Numbers of one mpmath context: mpf and mpc.

    Parameters
    ----------
    context : mpmath context
        ``type(x).context`` of a number x.
    """

    name = "mpmath numbers"

    def __init__(self, context):
        self.context = mp = context
        functions = {name: getattr(mp, name) for name in _SAME.split()}

        def is_real(x):
            return not isinstance(x, mp.mpc)

        def real_part(x):
            return mp.re(x)

        def trunc(x):
            return mp.floor(x) if x >= 0 else mp.ceil(x)

        def softplus(x):
            return x + mp.log1p(mp.exp(-x)) if real_part(x) > 0 else mp.log1p(mp.exp(x))

        def ndtr(x):
            return mp.erfc(-x / mp.sqrt(2)) / 2

        def precisely(function):
            """Compute with twice the precision, and round to the current one."""

            def wrapper(*args):
                with mp.workprec(2 * mp.prec + 20):
                    result = function(*args)
                return +result

            return wrapper

        def log_ndtr(x):
            return mp.log(ndtr(x)) if real_part(x) < 0 else mp.log1p(-ndtr(-x))

        def order_of_log_ndtr(n, x):
            if n == 0:
                return log_ndtr(x)
            lost = 2 * int(n) * max(0, mp.mag(x))
            with mp.workprec(mp.prec + 30 + lost):
                result = log_ndtr_n(n, x, mp.npdf(x) / ndtr(x))
            return +result

        functions |= {
            "log2": lambda x: mp.log(x, 2),
            "exp2": lambda x: mp.power(2, x),
            "cbrt": lambda x: -mp.cbrt(-x) if is_real(x) and x < 0 else mp.cbrt(x),
            "trunc": trunc,
            "round": mp.nint,
            # mpmath's numbers have no //.
            "floordiv": precisely(lambda x, y: mp.floor(x / y)),
            "fmod": precisely(lambda x, y: x - y * trunc(x / y)),
            # mpmath has no negative zero.
            "copysign": lambda x, y: abs(x) if y >= 0 else -abs(x),
            "softplus": softplus,
            "logaddexp": lambda x, y: x if x == y == mp.inf else x + softplus(y - x),
            "lgamma": lambda x: mp.loggamma(x).real if is_real(x) else mp.loggamma(x),
            "polygamma": lambda n, x: mp.polygamma(int(n), x),
            "sinc": mp.sincpi,
            "sinc_n": precisely(lambda n, x: sinc_n(n, x, +mp.pi, mp.sin, mp.cos, mp.eps)),
            "ndtr": ndtr,
            "log_ndtr": log_ndtr,
            "log_ndtr_n": order_of_log_ndtr,
            "i0": lambda x: mp.besseli(0, x),
            "i1": lambda x: mp.besseli(1, x),
            "iv": lambda n, x: mp.besseli(int(n) if n == int(n) else n, x),
            "j0": lambda x: mp.besselj(0, x),
            "j1": lambda x: mp.besselj(1, x),
            "jv": lambda n, x: mp.besselj(int(n) if n == int(n) else n, x),
            "i0e": lambda x: mp.exp(-abs(x)) * mp.besseli(0, x),
            "i1e": lambda x: mp.exp(-abs(x)) * mp.besseli(1, x),
            "ive": lambda n, x: mp.exp(-abs(x)) * mp.besseli(int(n) if n == int(n) else n, x),
            "y0": lambda x: mp.bessely(0, x),
            "y1": lambda x: mp.bessely(1, x),
            "yv": mp.bessely,
            "k0": lambda x: mp.besselk(0, x),
            "k1": lambda x: mp.besselk(1, x),
            "kv": mp.besselk,
            "yn": lambda n, x: mp.bessely(int(n), x),
            "betaln": lambda a, b: mp.log(abs(mp.beta(a, b))),
            "gammainc": lambda a, x: mp.gammainc(a, 0, x, regularized=True),
            "gammaincc": lambda a, x: mp.gammainc(a, x, mp.inf, regularized=True),
            "betainc": lambda a, b, x: mp.betainc(a, b, 0, x, regularized=True),
            "erfcinv": precisely(lambda x: mp.erfinv(1 - x)),
            "ndtri": precisely(lambda x: mp.sqrt(2) * mp.erfinv(2 * x - 1)),
            "erfcx_n": precisely(lambda n, x: erfcx_n(n, x, mp.exp(x * x) * mp.erfc(x), mp.sqrt(mp.pi))),
        }
        super().__init__(functions)

    def number(self, text):
        """See `Namespace.number`."""
        return self.context.mpf(text)

    def constant(self, name):
        """See `Namespace.constant`."""
        mp = self.context
        match name:
            case "PI":
                return +mp.pi
            case "LN2":
                return +mp.ln2
            case "LN10":
                return +mp.ln10
            case "SQRT_2":
                return mp.sqrt(2)
            case "SQRT_PI":
                return mp.sqrt(mp.pi)
            case "SQRT_2PI":
                return mp.sqrt(2 * mp.pi)
            case "INF":
                return mp.inf
            case _:
                return mp.nan

    def lift(self, value):
        """See `Namespace.lift`."""
        return self.context.mpf(value) if type(value) is int else value

    def is_number(self, value):
        """See `Namespace.is_number`."""
        return isinstance(value, (self.context.mpf, self.context.mpc, self.context.constant))
