//! What is to be said about a folder, and what to do about each.

mod files;
mod finding;
mod sound;
mod training;

pub use finding::{Finding, Weight, verdict};

use super::facts::Facts;

/// Everything that is to be said, what matters most first.
pub fn find(facts: &Facts) -> Vec<Finding> {
    let mut findings = files::find(facts);
    findings.extend(sound::find(facts));
    findings.extend(training::find(facts));
    findings.sort_by(|a, b| a.weight.cmp(&b.weight).then(b.share.total_cmp(&a.share)));
    findings
}
