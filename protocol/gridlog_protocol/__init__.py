"""What is said between handhelds and the server: values, ops, segments, messages, envelopes.

Pure: no I/O, no clock, no randomness of its own. `protocol/README.md` is the normative wire specification.
"""
