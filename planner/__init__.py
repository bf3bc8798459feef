"""The query compiler: turns a validated operation into one SQL statement."""
