//! `audit`: what a folder of recordings is worth for training, before a night is spent on it.
//!
//! It reads every file once, as `prepare` does, and writes nothing but the reports that are asked for. Everything that it
//! finds comes with what to do about it. See [`facts::Facts`] for what is measured, and [`findings`] for what is said.

mod brief;
mod duplicates;
mod envelope;
mod error;
pub mod facts;
pub mod findings;
mod forecast;
pub mod homogeneity;
mod html;
mod loudness;
pub mod measure;
mod run;
mod spectrum;
mod survey;
mod terminal;

pub use brief::brief;
pub use error::AuditError;
pub use run::run;
pub use survey::{AuditOptions, survey};

#[cfg(test)]
mod tests;
