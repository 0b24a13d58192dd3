"""The extended roles on the pages: a switch, and what each page shows while it is on."""
