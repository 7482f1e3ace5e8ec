//! Templates as users write them: what their options decode to, and what is said of what is wrong.

#[path = "config/cases.rs"]
mod cases;
#[path = "config/migration.rs"]
mod migration;
#[path = "config/options.rs"]
mod options;
#[path = "config/project.rs"]
mod project;
#[path = "config/reference.rs"]
mod reference;
#[path = "config/robustness.rs"]
mod robustness;
#[path = "config/rules.rs"]
mod rules;
#[path = "config/schemas.rs"]
mod schemas;
#[path = "config/shape.rs"]
mod shape;
#[path = "config/world.rs"]
mod world;
