"""Launching, decided: from a parsed body to a `Launch`, and from there to the ledger's row and the receipt."""
