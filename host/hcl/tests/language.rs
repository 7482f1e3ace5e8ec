//! The language from the outside: text in, documents and messages out.
//!
//! Most of the tests are data in `cases/`: tables of expressions with what they come to, and
//! templates with what is said about them.

#[path = "language/budget.rs"]
mod budget;
#[path = "language/documents.rs"]
mod documents;
#[path = "language/memory.rs"]
mod memory;
#[path = "language/messages.rs"]
mod messages;
#[path = "language/robustness.rs"]
mod robustness;
#[path = "language/settings.rs"]
mod settings;
#[path = "language/tables.rs"]
mod tables;
#[path = "language/variables.rs"]
mod variables;
#[path = "language/world.rs"]
mod world;
#[path = "language/yardstick.rs"]
mod yardstick;
