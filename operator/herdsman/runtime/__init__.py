"""When things run: queue, triggers, workers, service."""
