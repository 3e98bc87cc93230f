"""Time, statistics, and whether two results are the same."""
