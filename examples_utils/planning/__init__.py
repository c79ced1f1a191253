"""From a request to the commands that will run."""
