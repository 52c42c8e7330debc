"""Traffic engineering on public matrices: splits are decided before the matrix is seen."""
