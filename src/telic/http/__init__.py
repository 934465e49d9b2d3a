"""What every HTTP server of Telic uses: tokens, limits, listeners, server-sent events."""
