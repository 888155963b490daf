//! The MIDI controllers that the instrument listens to.

/// Silences a channel at once.
pub(super) const ALL_SOUND_OFF: u8 = 120;
/// Releases a channel's keys.
pub(super) const ALL_NOTES_OFF: u8 = 123;

/// All of them. Where a host has to be told beforehand which controllers are wanted, it is told these.
pub(super) const CONTROLLERS: [u8; 2] = [ALL_SOUND_OFF, ALL_NOTES_OFF];
