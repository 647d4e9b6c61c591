"""`tyndau demo`: a sample court on one machine, with everything real running in it."""
