"""Finding what was said: analysis of Kazakh and Russian text, and the query a person types."""
