"""The recorded exchange: data model, stores, match key, order, miss report."""
