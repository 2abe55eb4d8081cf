"""Who is there: over several devices and replicas, also when a replica dies."""
