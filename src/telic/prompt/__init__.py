"""Texts that go to and come from agents and people: pure, the domain and the standard library only."""
