"""Altair charts: plain records in, a chart out. The only imports of altair."""
