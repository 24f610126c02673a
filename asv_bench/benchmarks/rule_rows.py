"""The cost of each row of the rule table, in forward and reverse mode, over the same call on floats."""

import math
import operator

import dualtape as dt
from dualtape.rules.table import RULES

from .timing import ratio, separate

CALLS = 100


def midpoint(box):
    """A point inside one argument's domain, away from the integers, where some rows have corners."""
    low, high = max(box[0], -2.0), min(box[1], 2.0)
    return low + 0.43 * (high - low)


def traced_function(rule):
    """The public function of a row, or the operator that it is."""
    return getattr(dt, rule.name, None) or getattr(operator, "truediv" if rule.name == "div" else rule.name)


ROWS = {rule.name: rule for rule in RULES if len(rule.args) <= 2 and not rule.constant and not rule.helper}


def repeated(function, x, rest):
    total = 0.0
    for _ in range(CALLS):
        total = total + function(x, *rest)
    return total


class Row:
    """A loop of 100 calls of one row, summed; the plain run calls math's function where math has it."""

    params = (tuple(ROWS), ("derivative", "gradient"))
    param_names = ("row", "mode")

    def setup(self, row, mode):
        rule = ROWS[row]
        self.traced, self.differentiate = traced_function(rule), getattr(dt, mode)
        self.traced_loop = separate(repeated)
        self.plain = getattr(math, row, self.traced)
        self.first, *self.rest = (midpoint(box) for box in rule.domain)

    def track_row(self, row, mode):
        """Time of the derivative in the first argument over the plain run."""
        return ratio(
            lambda: self.differentiate(lambda x: self.traced_loop(self.traced, x, self.rest), self.first),
            lambda: repeated(self.plain, self.first, self.rest),
            runs=3,
        )

    track_row.unit = "ratio"
