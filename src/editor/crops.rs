//! What the editor knows of a take that is being cropped.

use super::trimming::Handle;
use crate::session::TakeId;

/// A handle that was moved and not yet let go.
#[derive(Debug, Clone, Copy)]
pub struct Cut {
    /// The take.
    pub take: TakeId,
    /// Which of its variations.
    pub variation: usize,
    /// Which end.
    pub handle: Handle,
    /// Where the handle is, in seconds from the seed clip's first frame.
    pub seconds: f64,
    /// It hangs on the pointer.
    pub dragged: bool,
}

/// What the editor remembers of cropping.
#[derive(Debug, Default)]
pub struct Cropping {
    /// The handle that was moved, if one was.
    pub cut: Option<Cut>,
}
