"""The page Real text: what heads do on a manual, on code, on stories, on texts of one's own."""
