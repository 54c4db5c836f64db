"""The parts of the pages that others wrote: which, in which version, and where they are placed."""
