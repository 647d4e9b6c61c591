"""What a person at the console would have to notice: each fault has a stable code, is raised within ten seconds
(REC-011 within thirty) and cleared when it is over.

A false alarm costs more than a late one: what is not sure is not raised. `held` decides how sure; `line`, `clipping`,
`spectrum` watch sound, `picture` watches the picture, `growth` the files; `room` and `machine` put them into the book.
"""
