"""Symbolic derivatives of rule text: partial derivatives of the second and of any higher order."""

import ast

from .grammar import parse
from .table import BY_NAME

__all__ = ["derivative", "second"]

_ZERO = ast.Constant(0.0)
_ONE = ast.Constant(1.0)


def second(rule, i, j, rows=BY_NAME):
    """The second partial derivative of a rule, as text.

    Parameters
    ----------
    rule : Rule
        The row.
    i, j : int
        The arguments; the answer is symmetric in them.
    rows : mapping, optional
        From names to rows, for the calls in the text.

    Returns
    -------
    str or None
        Rule text in the arguments and ``out``. None where a partial does not exist.

    Examples
    --------
    >>> second(BY_NAME["exp"], 0, 0)
    'out'
    >>> second(BY_NAME["div"], 0, 1)
    '-(1.0 / y * (1.0 / y))'
    """
    i, j = min(i, j), max(i, j)
    for k, m, text in rule.second:
        if (k, m) == (i, j):
            return text
    if rule.partials[i] is None or rule.partials[j] is None:
        return None
    return derivative(rule.partials[i], rule, j, rows)


def derivative(text, rule, j, rows=BY_NAME):
    """The total derivative of a text of `rule` with respect to its argument j.

    ``out`` counts as a function of the arguments, so that the result is what a second
    differentiation of the primitive gives.

    Parameters
    ----------
    text : str
        Rule text in the arguments of the rule and ``out``.
    rule : Rule
        The row that the text belongs to.
    j : int
        The argument to differentiate by.
    rows : mapping, optional
        From names to rows, for the calls in the text.

    Returns
    -------
    str
        Rule text in the arguments and ``out``.
    """
    tree = parse(text, (*rule.args, "out"), rows)
    slopes = dict.fromkeys(rule.args, _ZERO)
    slopes[rule.args[j]] = _ONE
    if rule.partials[j] is not None:
        slopes["out"] = parse(rule.partials[j], (*rule.args, "out"), rows)
    return ast.unparse(_derive(tree, slopes, rows))


def _derive(node, slopes, rows):
    match node:
        case ast.Constant():
            return _ZERO
        case ast.Name(id=name):
            return slopes.get(name, _ZERO)
        case ast.UnaryOp(operand=operand):
            return _neg(_derive(operand, slopes, rows))
        case ast.BinOp(left=a, op=op, right=b):
            da, db = _derive(a, slopes, rows), _derive(b, slopes, rows)
            match op:
                case ast.Add():
                    return _add(da, db)
                case ast.Sub():
                    return _add(da, _neg(db))
                case ast.Mult():
                    return _add(_mul(da, b), _mul(a, db))
                case _:
                    # a * (db / b) / b, never over b * b: the square of b overflows first.
                    return _add(_div(da, b), _neg(_mul(_div(a, b), _div(db, b))))
        case ast.Call(func=ast.Name(id="where"), args=[condition, a, b]):
            da, db = _derive(a, slopes, rows), _derive(b, slopes, rows)
            if ast.dump(da) == ast.dump(db):
                return da
            return ast.Call(ast.Name("where"), [condition, da, db], [])
        case ast.Call(func=ast.Name(id=name), args=args):
            row = rows[name]
            total = _ZERO
            for argument, text in zip(args, row.partials, strict=True):
                slope = _derive(argument, slopes, rows)
                if _is(slope, 0.0):
                    continue
                if text is None:
                    raise ValueError(f"{name} has no derivative in its order {ast.unparse(argument)}")
                values = dict(zip(row.args, args, strict=True), out=node)
                partial = _Substitute(values).visit(parse(text, (*row.args, "out"), rows))
                total = _add(total, _mul(partial, slope))
            return total
    raise AssertionError(ast.dump(node))


class _Substitute(ast.NodeTransformer):
    """Replace names by expressions."""

    def __init__(self, values):
        self.values = values

    def visit_Call(self, node):
        # The name of the function is no variable.
        return ast.Call(node.func, [self.visit(argument) for argument in node.args], [])

    def visit_Name(self, node):
        return self.values.get(node.id, node)


def _is(node, number):
    return isinstance(node, ast.Constant) and node.value == number


def _neg(a):
    match a:
        case ast.Constant(value=0.0):
            return _ZERO
        case ast.UnaryOp(operand=operand):
            return operand
    return ast.UnaryOp(ast.USub(), a)


def _add(a, b):
    if _is(a, 0.0):
        return b
    if _is(b, 0.0):
        return a
    if isinstance(b, ast.UnaryOp):
        return ast.BinOp(a, ast.Sub(), b.operand)
    return ast.BinOp(a, ast.Add(), b)


def _mul(a, b):
    if _is(a, 0.0) or _is(b, 0.0):
        return _ZERO
    if _is(a, 1.0):
        return b
    if _is(b, 1.0):
        return a
    if isinstance(a, ast.UnaryOp):
        return _neg(_mul(a.operand, b))
    if isinstance(b, ast.UnaryOp):
        return _neg(_mul(a, b.operand))
    return ast.BinOp(a, ast.Mult(), b)


def _div(a, b):
    if _is(a, 0.0):
        return _ZERO
    if isinstance(a, ast.UnaryOp):
        return _neg(_div(a.operand, b))
    return ast.BinOp(a, ast.Div(), b)
