"""The HTTP JSON API: a store for programs in any language."""

from telic.interfaces.api.routes import api_routes

__all__ = ["api_routes"]
