"""Messages: send through the batched writer, list, edit, delete."""
