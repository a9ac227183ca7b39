"""How a service runs: logs, readiness, signals, HTTP."""
