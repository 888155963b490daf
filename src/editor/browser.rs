//! What the patches' popup remembers between frames.

use std::path::PathBuf;

/// What is typed and what was clicked there.
#[derive(Debug, Default)]
pub struct Browser {
    /// The words that are looked for.
    pub search: String,
    /// The name under which the present settings would be saved.
    pub name: String,
    /// The patch whose name is being typed, and what is typed.
    pub renaming: Option<(PathBuf, String)>,
    /// The patch that the next click on its cross deletes.
    pub deleting: Option<PathBuf>,
    /// The session's count of changes among patches when they were listed last.
    pub seen: u64,
}
