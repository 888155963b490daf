//! What of a recording was lost: where, how much and why.

/// Most losses that are told one by one; what comes after them is added up.
const MOST_LOSSES: usize = 64;

/// Losses that [`describe`] tells one by one.
const TOLD: usize = 4;

/// What was lost, in a few sentences for the user; none for nothing.
pub fn describe(losses: &[Loss]) -> Vec<String> {
    // With one more, a sentence about that one is no longer than a sum.
    let told = if losses.len() <= TOLD + 1 { losses.len() } else { TOLD };
    let mut lines: Vec<String> = losses[..told].iter().map(ToString::to_string).collect();
    let rest = &losses[told..];
    if !rest.is_empty() {
        let frames: u64 = rest.iter().filter_map(|loss| loss.frames).fold(0, u64::saturating_add);
        lines.push(format!("and {} more places with {frames} missing frames in all", rest.len()));
    }
    lines
}

/// Frames that a file should have given and did not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// Where they are missing: the number of frames that were delivered before them.
    pub at_frame: u64,
    /// How many; `None` where the file does not tell. 0 where all are there but may be wrong.
    pub frames: Option<u64>,
    /// Why.
    pub cause: Cause,
}

/// Why frames are missing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// The file ends before its sound does.
    EndsEarly,
    /// Parts of the file that hold them are missing or damaged, and the sound goes on behind.
    Damaged {
        /// What was seen, such as `a page is missing`.
        what: &'static str,
    },
    /// From here on nothing makes sense.
    Unreadable {
        /// What was wrong.
        reason: String,
    },
    /// From here on the file has another sample rate or number of channels.
    OtherLayout {
        /// Layout before, such as `44100 Hz, 2 channels`.
        from: String,
        /// Layout after.
        to: String,
    },
    /// The decoded sound differs from the checksum in the file.
    Checksum,
    /// More places than are told one by one.
    Further,
}

impl std::fmt::Display for Loss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { at_frame, frames, cause } = self;
        let lost = match frames {
            Some(1) => "1 frame is".to_owned(),
            Some(frames) => format!("{frames} frames are"),
            None => "an unknown number of frames is".to_owned(),
        };
        match cause {
            Cause::EndsEarly => write!(f, "breaks off after {at_frame} frames: {lost} missing"),
            Cause::Damaged { what } => write!(f, "{lost} missing at frame {at_frame} ({what})"),
            Cause::Unreadable { reason } => {
                write!(f, "unreadable after {at_frame} frames ({reason}): {lost} missing")
            }
            Cause::OtherLayout { from, to } => {
                write!(f, "changes from {from} to {to} after {at_frame} frames: {lost} left out")
            }
            Cause::Checksum => {
                write!(f, "the sound is not the one that the file's checksum was made of: parts of it may be wrong")
            }
            Cause::Further => write!(f, "{lost} missing in further places"),
        }
    }
}

/// The losses of a file that is being read.
#[derive(Debug, Default)]
pub(super) struct Log {
    losses: Vec<Loss>,
    /// Frames delivered so far.
    pub(super) frames: u64,
}

impl Log {
    pub(super) fn losses(&self) -> &[Loss] {
        &self.losses
    }

    /// The losses, which are forgotten here.
    pub(super) fn take(&mut self) -> Vec<Loss> {
        std::mem::take(&mut self.losses)
    }

    /// All frames that are known to be missing.
    pub(super) fn lost_frames(&self) -> u64 {
        self.losses.iter().filter_map(|loss| loss.frames).fold(0, u64::saturating_add)
    }

    /// Notes frames that are missing after `pending` frames that are decoded and not delivered yet.
    pub(super) fn lose(&mut self, pending: u64, frames: Option<u64>, cause: Cause) {
        self.lose_at(self.frames + pending, frames, cause);
    }

    /// Notes frames that are missing behind the first `at_frame` of the recording.
    pub(super) fn lose_at(&mut self, at_frame: u64, frames: Option<u64>, cause: Cause) {
        let many = self.losses.len() >= MOST_LOSSES;
        match self.losses.last_mut() {
            Some(last)
                if (last.at_frame == at_frame && last.cause == cause) || (many && last.cause == Cause::Further) =>
            {
                last.frames = last.frames.zip(frames).map(|(a, b)| a.saturating_add(b));
            }
            _ if many => self.losses.push(Loss { at_frame, frames, cause: Cause::Further }),
            _ => self.losses.push(Loss { at_frame, frames, cause }),
        }
    }
}
