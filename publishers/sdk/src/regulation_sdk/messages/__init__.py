"""Message types by model version, made from the field tables."""
