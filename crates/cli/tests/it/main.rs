//! Black box tests of the `anabranch` program: real processes, real sockets, real signals.

mod bad_inputs;
mod certificates;
mod chaos;
mod conflicts;
mod crash;
mod hanging;
mod hopping;
mod lost_answer;
mod node;
mod partition;
mod restored;
mod stopped_peer;
mod storm;
mod support;
mod verify;
mod watch;
