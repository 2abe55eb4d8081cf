"""Legal holds: what nobody may delete for now."""
