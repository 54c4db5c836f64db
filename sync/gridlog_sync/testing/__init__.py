"""A simulated world for whoever tests against the protocol: time, network, disks, clocks, and an independent judge.

Pure: every throw of the dice comes from the caller, so one seed decides everything and a failure can be replayed.
`tools/simulate` of the project drives the production code through it.
"""
