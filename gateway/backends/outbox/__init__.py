"""Launching where ledger and broker are two things: recorded first, sent second, swept up if the second step failed."""
