"""What callers present, checked: the keys of a file, read again when it changes."""
