"""How good a model is on a court's own speech: languages told apart, words, times, microphones (`tyndau bench`)."""
