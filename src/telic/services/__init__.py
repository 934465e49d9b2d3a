"""The front doors: blocking and async stores, health checks, transfers."""
