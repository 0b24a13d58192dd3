"""The parts of the page Circuits: settings, results in memory, table, positions, composition."""
