//! Many sessions against many made-up replicas: the rules hold whatever happens.

mod calls;
mod random;
mod sessions;
