"""Rows of the table at numbers of any kind, recorded: natively where all operands are floats, else with Python objects
as operands."""

import numbers

from cpython.ref cimport PyObject
from libc.stdint cimport uint32_t

from dualtape.core cimport tape as core_tape
from dualtape.core.kernels cimport DT_CONSTANT, rows
from dualtape.core.tape cimport DT_ARG, DT_LEAF, Tape, Var, append_node, constant_of, new_var
from dualtape.core.traced cimport Traced, apply, require_special


cdef object native_operand(object x):
    """`x` as an operand of a native node: the Var, or the float that a plain real number is; None if it is neither."""
    if type(x) is Var or type(x) is float:
        return x
    if type(x) is int:
        return float(x)
    if isinstance(x, numbers.Rational) and not isinstance(x, Traced):
        return float(x)
    return None


cdef object record_row(Tape tape, int row, tuple args):
    """A row whose highest level is that of a tape."""
    cdef list operands = []
    for arg in args:
        operand = native_operand(arg)
        if operand is None or (type(operand) is Var and (<Var>operand).owner != <PyObject *>tape):
            return record_boxed(tape, row, args)
        operands.append(operand)
    return record_native(tape, row, operands)


cdef object record_native(Tape tape, int row, list operands):
    """A node of any row, operands being Vars of the tape and floats."""
    cdef double x[3]
    cdef uint32_t index[3]
    cdef uint32_t kind = 0
    cdef int i, n = len(operands)
    cdef double value
    x[0] = x[1] = x[2] = 0.0
    index[0] = index[1] = 0
    require_special(row)
    for i in range(n):
        operand = operands[i]
        if type(operand) is Var:
            x[i] = (<Var>operand).primal
            index[i] = (<Var>operand).index
        elif n == 3:
            # Nodes of three operands have no constants: a leaf holds it.
            x[i] = operand
            index[i] = new_var(tape, DT_LEAF, 0, 0, x[i]).index
        else:
            x[i] = operand
            index[i] = constant_of(tape, x[i])
            kind |= 1 << i
    value = rows[row].value(x[0], x[1], x[2])
    if n == 3:
        append_node(tape, DT_ARG, index[2], 0, x[2])
    out = new_var(tape, 4 * row + kind, index[0], index[1], value)
    return value if rows[row].flags & DT_CONSTANT else out


cdef object record_boxed(Tape tape, int row, tuple args):
    """A node whose primal, or an operand, is a Python object."""
    cdef list indices = []
    cdef list primals = []
    for arg in args:
        if isinstance(arg, Var) and (<Var>arg).owner == <PyObject *>tape:
            indices.append((<Var>arg).index)
            primals.append(arg.value)
        else:
            indices.append(-1)
            primals.append(arg)
    out = apply(row, tuple(primals))
    if rows[row].flags & DT_CONSTANT:
        return out
    return tape.append((row, tuple(indices), tuple(primals), out), out)


core_tape.record_row = record_row
