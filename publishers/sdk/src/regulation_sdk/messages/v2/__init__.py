"""The message types of model v2, a module each."""
