"""A model in memory: the catalogue, loading with probes, the Hub, downloads, memory."""
