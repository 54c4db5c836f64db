"""Measure what handhelds and servers take: time, bytes and memory."""
