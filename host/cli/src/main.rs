//! The `lvhost` command.

fn main() {}
