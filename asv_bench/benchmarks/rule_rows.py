"""The cost of each row of the rule table, in forward and reverse mode, over the same call on floats."""

import math

import dualtape as dt
from dualtape.rules.table import RULES

from .timing import ratio

CALLS = 100


def midpoint(box):
    """A point inside one argument's domain, away from the integers, where some rows have corners."""
    low, high = max(box[0], -2.0), min(box[1], 2.0)
    return low + 0.43 * (high - low)


ROWS = {rule.name: rule for rule in RULES if len(rule.args) <= 2 and not rule.constant and not rule.helper}


class Row:
    """A loop of 100 calls of one row, summed; the plain run calls math's function where math has it."""

    params = (tuple(ROWS), ("derivative", "gradient"))
    param_names = ("row", "operator")

    def setup(self, row, operator):
        rule = ROWS[row]
        self.traced, self.operator = getattr(dt, row), getattr(dt, operator)
        self.plain = getattr(math, row, self.traced)
        self.first, *self.rest = (midpoint(box) for box in rule.domain)

    def repeated(self, function, x):
        rest, total = self.rest, 0.0
        for _ in range(CALLS):
            total = total + function(x, *rest)
        return total

    def track_row(self, row, operator):
        """Time of the derivative in the first argument over the plain run."""
        return ratio(
            lambda: self.operator(lambda x: self.repeated(self.traced, x), self.first),
            lambda: self.repeated(self.plain, self.first),
            runs=3,
        )

    track_row.unit = "ratio"
