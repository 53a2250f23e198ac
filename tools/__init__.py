"""What `make` runs beside the tests: checks, generated pages, the demo."""
