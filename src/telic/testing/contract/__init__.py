"""What every store promises, as async tests over a `store` (async face) and the `clock` it was opened with.

A backend's author imports the modules' names into a test module that has these two fixtures.
"""
