//! The doors: shards, sockets and storage around the node
