"""Goals inside other programs: agent frameworks and the hooks of coding agents."""
