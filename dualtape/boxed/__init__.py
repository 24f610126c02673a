"""Arrays of any namespace: CuPy's, and all others that follow the array API standard."""
