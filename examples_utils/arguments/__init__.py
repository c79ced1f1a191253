"""Arguments and types of arguments that several commands share."""
