//! A file that is written for somebody who carries it out of the window, while they do.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use super::lock::lock;

/// How far the file is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Content {
    /// It is being written.
    #[default]
    Waiting,
    /// It is whole, and lies here.
    Written(PathBuf),
    /// It could not be written; the user is told why elsewhere.
    Failed,
}

/// A file in the making, between the one who writes it and the one who hands it on. Two are equal if they are one.
#[derive(Debug, Clone, Default)]
pub struct Parcel(Arc<Mutex<Content>>);

impl Parcel {
    /// How far the file is now.
    pub fn content(&self) -> Content {
        lock(&self.0).clone()
    }

    /// What came of it. Only the first answer counts.
    pub(crate) fn settle(&self, content: Content) {
        let mut now = lock(&self.0);
        if *now == Content::Waiting {
            *now = content;
        }
    }
}

impl PartialEq for Parcel {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
