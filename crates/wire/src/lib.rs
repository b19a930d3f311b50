//! What the bytes say: RESP, JSON lines, peer messages and the command table
