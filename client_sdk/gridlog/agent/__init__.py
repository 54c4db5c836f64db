"""The handheld app: web pages on 127.0.0.1 for a grid worker with a phone, over the public SDK and the kinds alone.

The rule it keeps: nothing that a worker types leaves memory but into the store. No temporary file, browser cache,
address or log line has any of it, and a locked store shows none of it.
"""
