//! The storm: a whole cluster in one thread from one seed
