"""Other systems are told what happened at their court: signed, by https, tried again for a day."""
