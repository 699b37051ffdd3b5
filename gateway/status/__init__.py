"""What is known of one task, told from the ledger's row and the result backend's record."""
