//! `plan`: several runs one after another, unattended: levels, the codes of them, priors, a package.
//!
//! A plan is a TOML file of stages. What is finished is passed over, what has begun goes on, so a plan that was interrupted or
//! killed anywhere is simply started again; and each stage can be run alone. A stage knows the others by their names, and
//! nothing but the command that it stands for: there is no state beside the folders that those commands make.

mod file;
mod run;

pub use file::{Action, Plan, PlanFault, Stage};
pub use run::{PlanError, run};
