"""How a call survives a neighbour's bad day: retries with back-off, and a circuit breaker."""
