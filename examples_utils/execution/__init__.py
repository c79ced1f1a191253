"""Running what is planned: processes, what they print, and the records made of it."""
