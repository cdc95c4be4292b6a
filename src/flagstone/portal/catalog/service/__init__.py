"""Use cases, one class each: reading the catalog, its records, stars, registering locations, ingestion."""
