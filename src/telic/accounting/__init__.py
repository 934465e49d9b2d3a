"""Accounting: an agent's turns reach the ledger exactly once, without the agent waiting for it."""
