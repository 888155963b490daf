//! What becomes of the sidechain.

/// What becomes of the sidechain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Capture {
    /// Nothing is recorded.
    #[default]
    Off,
    /// It is recorded.
    Records,
    /// It will be, from the begin of the host's loop on.
    Waits,
    /// It would be, but the host says of no loop.
    NoLoop,
    /// One pass of the host's loop was.
    Done,
}

impl Capture {
    /// All of them, each at the place of its number.
    pub const ALL: [Self; 5] = [Self::Off, Self::Records, Self::Waits, Self::NoLoop, Self::Done];
}
