"""Reports: comparisons as pages that are one file and open anywhere."""
