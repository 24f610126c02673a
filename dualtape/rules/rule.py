"""What a row of the rule table holds."""

import math
from dataclasses import dataclass

__all__ = ["CONSTANTS", "Rule", "Special"]

# The named constants that rule text may use, as float64. Boxed numbers ask their own
# namespace for them (mpmath: at the current precision; SymPy: exactly).
CONSTANTS = {
    "PI": math.pi,
    "LN2": math.log(2.0),
    "LN10": math.log(10.0),
    "SQRT_PI": math.sqrt(math.pi),
    "SQRT_2": math.sqrt(2.0),
    "SQRT_2PI": math.sqrt(2.0 * math.pi),
    "INF": math.inf,
    "NAN": math.nan,
}


@dataclass(frozen=True)
class Special:
    """One point with an agreed answer that a formula alone does not give.

    Attributes
    ----------
    args : tuple of float
        The arguments.
    value : float or None
        The exact value; None leaves it unchecked.
    partials : tuple of (float or None)
        The exact partial derivatives; None leaves one unchecked.
    """

    args: tuple
    value: float | None
    partials: tuple


# A row is itself: compared and hashed by identity, which makes it a cheap key of caches.
@dataclass(frozen=True, eq=False)
class Rule:
    """One elementwise primitive: its value, its partial derivatives, and how to test it.

    The texts are written in the common subset of Python and C: names of the arguments, ``out``
    (the result), float literals, the names in `CONSTANTS`, ``+ - * /``, one comparison at a time,
    ``where(condition, a, b)``, and calls of other rows. Every call in a partial is itself a row, so
    that derivatives of any order follow from the table.

    Attributes
    ----------
    name : str
        Public name, in :mod:`math`'s spelling where it has one.
    args : tuple of str
        Names of the arguments; at most three.
    value : str
        Text of the result. A primitive of the C library refers to itself: ``"sin(x)"``.
    partials : tuple of (str or None)
        One text for each argument. None where the argument is an order, not a variable.
    domain : tuple of (float, float)
        The box to sample each argument from, evenly. Integral bounds of an order are inclusive.
    oracle : str
        The value as an expression of mpmath (``mp``) in the arguments; only tests evaluate it.
    special : tuple of Special
        Points with agreed answers.
    ufuncs : tuple of str
        The NumPy and SciPy ufuncs that the row is, each ``"numpy.NAME"`` or ``"scipy.special.NAME"``.
    doc : str
        One line for the table in the documentation.
    aliases : tuple of str
        Further public names.
    operator : str
        The Python operator that the row is, or "".
    constant : bool
        Whether the row is piecewise constant: on scalars it gives plain numbers.
    helper : bool
        Whether the row exists to close the table under derivation, not as a public name.
    hot : bool
        Whether the kernels inline it (see ``emit_c``).
    kernel : str
        The C function that computes the value where the text is the mathematics but not the most
        accurate arithmetic in float64; "" where the text serves for both.
    second : tuple of (int, int, str)
        Second partials ``(i, j, text)``, i <= j, that take the place of the derived ones.
    reach : tuple of (float, float)
        The widest box on which the stated accuracy holds, to be sampled by magnitude: tails, and
        arguments near singular points. Empty means the domain.
    """

    name: str
    args: tuple
    value: str
    partials: tuple
    domain: tuple
    oracle: str
    special: tuple = ()
    ufuncs: tuple = ()
    doc: str = ""
    aliases: tuple = ()
    operator: str = ""
    constant: bool = False
    helper: bool = False
    hot: bool = False
    kernel: str = ""
    second: tuple = ()
    reach: tuple = ()

    def __post_init__(self):
        if not 1 <= len(self.args) <= 3 or not len(self.args) == len(self.partials) == len(self.domain):
            raise ValueError(f"rule {self.name}: args, partials and domain must have the same length, 1 to 3")

    @property
    def arity(self):
        """Number of arguments."""
        return len(self.args)

    @property
    def methods(self):
        """Names of the methods that NumPy's object loops call on an element: ``x.arcsin()``."""
        return tuple(name.partition(".")[2] for name in self.ufuncs if name.startswith("numpy."))

    @property
    def primitive(self):
        """Whether the value's text only refers to the row itself, so that it can serve no other kind of number."""
        return self.value == f"{self.name}({', '.join(self.args)})"
