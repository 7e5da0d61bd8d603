"""The message types of model v1, a module each."""
