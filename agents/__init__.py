"""Who decides: one file per role; a Mesa agent owns a slice of accounts."""
