//! One node, and peers that are words alone: what it learns before it counts, and from whom; how it votes, and goes on alone; and what
//! it makes of answers that come late.
//!
//! That nothing is lost by it is played by the simulator, and by the model in `placement`.

mod absent;
mod late;
mod learns;
mod one;
mod restamped;
mod votes;
