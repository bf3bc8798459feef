"""What every room needs and no business noun: settings, database, clock, ids, crypto, errors, logging."""
