//! The families: one module each for the shape of its models, their limits, the names of their tensors and the
//! specification of their graphs. Nothing else in this crate knows one of them by name.

pub mod ada;
mod shape;
pub mod wavenet;
mod writer;

pub use shape::{Architecture, Family, FieldError, Shape};

use serde_json::Value;

/// The families that a reader knows.
#[derive(Debug, Clone)]
pub struct Families(Vec<Family>);

impl Default for Families {
    /// All that this version of Continuo has.
    fn default() -> Self {
        Self(vec![wavenet::FAMILY, ada::FAMILY])
    }
}

/// Why the architecture in a manifest cannot be read.
#[derive(Debug)]
pub(crate) enum ArchitectureError {
    /// No family has this tag.
    Unknown(String),
    /// The field is not what the family needs.
    Wrong(FieldError),
}

impl Families {
    /// These, and another one.
    #[must_use]
    pub fn with(mut self, family: Family) -> Self {
        self.0.retain(|other| *other != family);
        self.0.push(family);
        self
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Family> {
        self.0.iter()
    }

    pub(crate) fn read(&self, architecture: Value) -> Result<Architecture, ArchitectureError> {
        let wrong = |reason: String| ArchitectureError::Wrong(("architecture".into(), reason));
        let tag = architecture.get("family").and_then(Value::as_str).ok_or_else(|| wrong("names no family".into()))?;
        let unknown = || ArchitectureError::Unknown(tag.chars().take(80).collect());
        let family = self.iter().find(|family| family.tag == tag).ok_or_else(unknown)?;
        let shape = (family.read)(architecture).map_err(|error| wrong(format!("cannot be read ({error})")))?;
        Ok(Architecture::shared(family, shape))
    }
}
