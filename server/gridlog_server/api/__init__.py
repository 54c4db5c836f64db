"""The doors: device exchange and health over HTTP, and the local door for commands."""
