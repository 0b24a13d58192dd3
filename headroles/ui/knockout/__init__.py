"""The knock-out lab: one module a section, each with a ``draw()`` that is called when it is open."""
