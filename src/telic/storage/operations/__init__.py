"""Every rule that touches rows, written once: `async def operation(tx, …)`.

An operation awaits nothing but its transaction, reads no clock and makes no id; it has no effect outside the
transaction, so a driver may run it again (ADR 1). The store's method that runs it says what it raises.
"""
