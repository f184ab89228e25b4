"""Makes notebooks and the package, what students get, and what grade goes by."""
