"""Compute every example and table of the wire specification from the code."""
