"""The pages, one module for what a worker does. Each reads, decides, writes to the store, and only then answers."""
