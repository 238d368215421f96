//! A PostgreSQL server as a backend.
