//! The ring against small worlds.
