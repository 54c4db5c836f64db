"""What is decided: merging, admission, the device's view, digests, the course of an exchange.

Pure: no I/O, clock or randomness. Facts come in as arguments, decisions go out as values. `sync/README.md` explains
the algorithm and why it holds.
"""
