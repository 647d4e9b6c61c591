"""The courtroom's own page: served by the agent on its machine, for whoever sits at it, with no network."""
