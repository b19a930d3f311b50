//! What one node does, as a pure state machine
