//! A Redis server as a backend.
