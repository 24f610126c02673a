"""What a kind of number offers to the rules: its operators, functions, literals and constants."""

import operator

from .rule import CONSTANTS

__all__ = ["OPERATORS", "Namespace"]

# Every kind has Python's operators; abs(), % and // are what the kind itself makes of them.
OPERATORS = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "neg": operator.neg,
    "pos": operator.pos,
    "pow": operator.pow,
    "abs": operator.abs,
    "mod": operator.mod,
    "floordiv": operator.floordiv,
}


class Namespace:
    """One kind of number.

    Attributes
    ----------
    name : str
        The kind, as error messages call it.

    Notes
    -----
    Thread safety: namespaces are not changed once made.
    """

    name = "numbers"

    def __init__(self, functions=()):
        self._functions = OPERATORS | dict(functions)

    def __repr__(self):
        return f"<namespace of {self.name}>"

    def function(self, name):
        """The function of a row on numbers of this kind, or None where the kind has none.

        Parameters
        ----------
        name : str
            The row's name.

        Returns
        -------
        callable or None
        """
        return self._functions.get(name)

    def number(self, text):
        """A decimal literal of rule text, exactly where the kind can hold it."""
        return float(text)

    def constant(self, name):
        """A named constant of rule text, to the precision of the kind."""
        return CONSTANTS[name]

    def lift(self, value):
        """A plain int as a number of this kind, where its functions of an int would give floats.

        Parameters
        ----------
        value : object
            Anything; what is no int comes back as it is.

        Returns
        -------
        object
        """
        return value

    def is_number(self, value):
        """Whether a value is a number of this kind."""
        raise NotImplementedError
