"""Run `python -m gridlog_server` as the `gridlog-server` command."""

from .cli import main

main()
