"""All that nodes are made of, fetched or built, checked, and served to them: `lab artifacts` and the mirror."""
