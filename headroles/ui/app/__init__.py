"""The shell that all pages share: session, address, caches, prompt form, long work."""
