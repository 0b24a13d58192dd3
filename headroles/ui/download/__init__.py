"""Files to take away: what a page shows, with its provenance, made when it is asked for."""
