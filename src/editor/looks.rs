//! What the editor knows of how its window is kept in the project.

use crate::session::Look;

/// What the editor knows of it.
#[derive(Debug, Default)]
pub struct Looks {
    /// As it was followed or noted last.
    pub known: Look,
    /// The window is to have this size, in logical pixels, once the zoom is what it is to be.
    pub wanted: Option<(f32, f32)>,
}
