"""Measurements of the running product: ``make bench``. Figures are printed as a table and written to bench-results/."""
