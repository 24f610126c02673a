"""Rows on arrays of float64."""

from dualtape.core.view cimport View


cdef object record_row(int row, object x, object y, object z, int arity)
cdef object record(int row, object x, object y, object z, int arity, View target)
