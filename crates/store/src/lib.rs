//! How it survives: the engine trait, the LSM engine, its in-memory twin
