"""The console: pages for supervisors and administrators in a browser. Handlers call services, and decide nothing."""
