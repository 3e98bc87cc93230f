"""Workloads of high-energy physics that prove an analysis facility has what was ordered."""
