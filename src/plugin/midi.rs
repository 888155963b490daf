//! The MIDI controllers that the instrument listens to.

/// The sustain pedal.
pub(super) const SUSTAIN: u8 = 64;
/// Silences a channel at once.
pub(super) const ALL_SOUND_OFF: u8 = 120;
/// Puts a channel's pedal and pitch wheel back.
pub(super) const RESET_CONTROLLERS: u8 = 121;
/// Releases a channel's keys; what the pedal holds goes on until it is up.
pub(super) const ALL_NOTES_OFF: u8 = 123;
/// What follows them releases keys too: modes that the instrument does not have.
pub(super) const LAST_MODE: u8 = 127;
/// The controllers that choose a registered parameter (a bend's range, a zone of MPE) and set it. Only hosts that send MIDI's own bytes
/// send them: in VST3 each would be sixteen more hidden parameters, and notes have their expressions there.
pub(super) const PARAMETERS: [u8; 6] = [6, 38, 98, 99, 100, 101];
/// VST3's number for the pitch wheel, which in MIDI is no controller.
const PITCH_BEND: u8 = 129;

/// All of them. Where a host has to be told beforehand which controllers are wanted, it is told these.
pub(super) const CONTROLLERS: [u8; 5] = [SUSTAIN, ALL_SOUND_OFF, RESET_CONTROLLERS, ALL_NOTES_OFF, PITCH_BEND];
