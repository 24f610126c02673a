"""The compiled core: kernels of the rule table, duals, tapes and their sweeps."""
