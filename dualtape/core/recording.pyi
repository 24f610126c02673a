"""Rows at numbers of any kind, recorded."""
