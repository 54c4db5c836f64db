"""The crash tester of the handheld's store: power cuts, faults, and planted weaknesses. See `__main__`."""
