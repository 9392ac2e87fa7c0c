"""How a venue closes failing accounts: one file for each way of doing it, one record for all."""
