"""Files to take away that people watch and read: a film, a text as DOCX or PDF (DESIGN.md beside this file)."""
