"""The table: one row for each elementwise primitive, in the order of the kernels' indices.

The rows stand in a few files by subject; a primitive is added as one `Rule` in one of them. The
emitted C, the bindings of boxed numbers, the tests and the documentation loop over `RULES`.
"""

import zlib

from . import arithmetic, bessel, elementary, incomplete, information, special, trigonometric

__all__ = ["ALIASES", "BY_NAME", "INDEX", "RULES", "fingerprint"]

RULES = (
    arithmetic.HOT
    + arithmetic.POWER
    + elementary.ROOTS
    + elementary.EXPONENTIAL
    + trigonometric.CIRCULAR
    + trigonometric.HYPERBOLIC
    + arithmetic.PIECEWISE
    + special.SPECIAL
    + information.INFORMATION
    + incomplete.INCOMPLETE
    + bessel.BESSEL
)

BY_NAME = {rule.name: rule for rule in RULES}
INDEX = {rule.name: index for index, rule in enumerate(RULES)}
ALIASES = {alias: rule.name for rule in RULES for alias in rule.aliases}

if len(BY_NAME) != len(RULES) or ALIASES.keys() & BY_NAME.keys():
    raise ValueError("the rule table has a name twice")


def fingerprint(rules=RULES):
    """A number that changes with whatever the kernels are made from.

    Compiled modules keep the one that they were built with, and refuse another table: by a stale build
    every row behind a new one would silently run the wrong kernel.

    Parameters
    ----------
    rules : sequence of Rule, optional
        The rows.

    Returns
    -------
    int
        32 bits.
    """
    made_from = [(r.name, r.args, r.value, r.partials, r.second, r.kernel, r.constant, r.hot) for r in rules]
    return zlib.crc32(repr(made_from).encode())
