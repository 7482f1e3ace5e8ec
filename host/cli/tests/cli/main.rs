//! The `lvhost` command from outside: what it prints, where, and with which exit code.

mod lvhost;
mod run;
mod usage;
mod validate;
