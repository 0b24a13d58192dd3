"""The knock-out lab: one module a section, with a ``draw()`` that is called while it is open."""
