"""Play seeded worlds with the production code until one breaks a promise: `python -m tools.simulate --help`."""
