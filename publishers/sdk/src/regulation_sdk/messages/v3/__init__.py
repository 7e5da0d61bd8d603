"""The message types of model v3, a module each."""
