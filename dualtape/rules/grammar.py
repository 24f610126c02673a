"""The language of rule text: the common subset of Python and C, read with Python's own parser."""

import ast

from .rule import CONSTANTS

__all__ = ["RuleTextError", "parse"]

_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div)
_COMPARISONS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)


class RuleTextError(ValueError):
    """Rule text that C and Python would read differently, or that names something unknown."""


def parse(text, names, rows):
    """Parse rule text, and reject what does not mean the same in Python and in C.

    Parameters
    ----------
    text : str
        The rule text.
    names : iterable of str
        The names that it may use besides the named constants.
    rows : mapping
        From the name of a callable row to its `Rule`.

    Returns
    -------
    ast.expr
        The expression.

    Raises
    ------
    RuleTextError
        For integer literals (``1/2`` is 0 in C), ``**``, ``//``, ``%``, chained comparisons, comparisons
        outside the condition of ``where``, unknown names, and calls with the wrong number of arguments.

    Examples
    --------
    >>> ast.unparse(parse("2.0 * x", ["x"], {}))
    '2.0 * x'
    """
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError as error:
        raise RuleTextError(f"{text!r} is no expression: {error.msg}") from None
    _check(tree, text, frozenset(names) | CONSTANTS.keys(), rows)
    return tree


def _check(node, text, names, rows):
    def fail(why):
        raise RuleTextError(f"{ast.unparse(node)!r} in {text!r}: {why}")

    match node:
        case ast.Constant(value=float()):
            return
        case ast.Constant():
            fail("write a float literal; integers divide differently in C")
        case ast.Name(id=name):
            if name not in names:
                fail("unknown name")
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            _check(operand, text, names, rows)
        case ast.BinOp(left=left, op=op, right=right):
            if not isinstance(op, _OPERATORS):
                fail("only + - * / are the same in C")
            _check(left, text, names, rows)
            _check(right, text, names, rows)
        case ast.Call(func=ast.Name(id="where"), args=[condition, first, second], keywords=[]):
            _check_condition(condition, text, names, rows, fail)
            _check(first, text, names, rows)
            _check(second, text, names, rows)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
            if name not in rows:
                fail("no row of that name")
            if len(args) != rows[name].arity:
                fail(f"{name} takes {rows[name].arity} arguments")
            for argument in args:
                _check(argument, text, names, rows)
        case _:
            fail("not in the common subset of Python and C")


def _check_condition(node, text, names, rows, fail):
    match node:
        case ast.Compare(left=left, ops=[op], comparators=[right]) if isinstance(op, _COMPARISONS):
            _check(left, text, names, rows)
            _check(right, text, names, rows)
        case ast.Compare(ops=[_, _, *_]):
            fail("chained comparisons mean something else in C")
        case _:
            fail("the condition of where must be one comparison")
