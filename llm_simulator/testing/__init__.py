"""What the pytest plugin is made of: standard library only, so that it costs nothing and runs beside any SDK."""
