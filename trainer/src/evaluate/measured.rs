//! Measurements that not every model has.

use serde::Serialize;

/// A measurement that does not suit every model.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Measured<T> {
    /// What was measured.
    Value(T),
    /// Why nothing was, as a sentence part.
    NotApplicable(String),
}

impl<T> Measured<T> {
    /// For this reason nothing.
    pub fn not_applicable(reason: impl Into<String>) -> Self {
        Self::NotApplicable(reason.into())
    }

    /// What was measured, if anything.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::NotApplicable(_) => None,
        }
    }
}
