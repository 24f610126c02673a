"""Operands of nodes in C."""
