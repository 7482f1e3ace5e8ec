//! Components on the runtime, for real: well-behaved ones, hostile ones, and those that are refused.

mod confined;
mod hostile;
mod made;
mod random;
mod reaching;
mod refused;
mod strangers;
mod sums;
mod support;
mod well_behaved;
