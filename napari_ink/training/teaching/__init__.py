"""Teaching: a project's corrections become a model of its own."""
