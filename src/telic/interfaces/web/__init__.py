"""The web: the HTTP API and the dashboard."""
