"""What a head does on this prompt: active, quiet, not applicable, too short to tell; and why."""
