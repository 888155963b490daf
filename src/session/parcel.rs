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
    /// Nobody wants it any more.
    Unwanted,
}

/// A file in the making, between the one who writes it and the one who hands it on. Two are equal if they are one.
#[derive(Debug, Clone, Default)]
pub struct Parcel(Arc<Mutex<Content>>);

impl Parcel {
    /// How far the file is now.
    pub fn content(&self) -> Content {
        lock(&self.0).clone()
    }

    /// What came of it. Only the first answer counts: says whether this is it.
    pub(crate) fn settle(&self, content: Content) -> bool {
        let mut now = lock(&self.0);
        let first = *now == Content::Waiting;
        if first {
            *now = content;
        }
        first
    }

    /// Nobody wants the file any more. Gives it to be taken away if it is there; else whoever writes it does so.
    pub fn give_up(&self) -> Option<PathBuf> {
        match std::mem::replace(&mut *lock(&self.0), Content::Unwanted) {
            Content::Written(path) => Some(path),
            _ => None,
        }
    }
}

impl PartialEq for Parcel {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
