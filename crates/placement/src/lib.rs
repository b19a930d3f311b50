//! Where a key lives: positions, tokens, the ring, the layout
