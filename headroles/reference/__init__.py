"""From the scores of an analysis to an entry of the file: settings, selection, differences."""
