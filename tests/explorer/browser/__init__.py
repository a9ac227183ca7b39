"""A package of its own, so that what is started for it ends with it (pytest's scope "package")."""
