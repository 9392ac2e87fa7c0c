"""What must hold of a venue, and of each phase of its block; a broken law is named, never repaired."""
