"""The HTTP JSON API: a store for programs in any language."""
