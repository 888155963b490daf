//! What the host's note events mean to the player. Runs on the audio thread.

use continuo_realtime::{KeySettings, Note, Player, Source};
use nice_plug::midi::{Channel, Key, VoiceID};
use nice_plug::prelude::NoteEvent;

use super::midi::{ALL_NOTES_OFF, ALL_SOUND_OFF, LAST_MODE, PARAMETERS, RESET_CONTROLLERS, SUSTAIN};
use crate::params::KeyParams;

/// The largest value of MIDI's fourteen bits, and the wheel's rest position among them.
const BEND_MOST: f32 = 16_383.0;
const BEND_REST: f32 = 8_192.0;

/// What a note plays.
#[derive(Clone, Copy)]
pub(super) struct Aim {
    pub(super) source: Source,
    /// Whether its first frame is in the middle of a sound.
    pub(super) soft: bool,
}

/// How notes are played at this moment.
pub(super) fn settings(params: &KeyParams) -> KeySettings {
    KeySettings {
        root: params.key_tracking.value().then(|| params.root_key.value().clamp(0, 127) as u8),
        bend_semitones: params.bend_range.value() as f32,
        attack_ms: params.attack.value(),
        decay_ms: params.decay.value(),
        sustain: params.sustain.value(),
        release_ms: params.release.value(),
        start_seconds: params.start_offset.value(),
        voices: params.voices.value().max(1).unsigned_abs() as usize,
        mono: params.mono.value(),
        controllers: params.controllers.value(),
        limits: params.limiter.value(),
    }
}

/// Whether an event moves a controller. Those are heeded whatever makes the take sound: a pedal that goes up meanwhile is up.
pub(super) fn is_controller(event: &NoteEvent<()>) -> bool {
    matches!(event, NoteEvent::MidiPitchBend { .. } | NoteEvent::MidiCC { .. })
}

/// Has the player do what an event says.
pub(super) fn act(player: &mut Player, event: &NoteEvent<()>, aim: Aim, params: &KeyParams) {
    match *event {
        // A note that is not heard would only cut off the one before it; in MIDI's own bytes it is a key's release.
        NoteEvent::NoteOn { voice_id, channel, key, velocity, .. } if velocity <= 0.0 => {
            player.note_off(&note(voice_id, channel, key));
        }
        NoteEvent::NoteOn { voice_id, channel, key, velocity, .. } => {
            let level = level(velocity, params.velocity_curve.value());
            player.note_on(note(voice_id, channel, key), level, aim.source, aim.soft);
        }
        NoteEvent::NoteOff { voice_id, channel, key, .. } => player.note_off(&note(voice_id, channel, key)),
        NoteEvent::Choke { voice_id, channel, key, .. } => player.choke(&note(voice_id, channel, key)),
        NoteEvent::PolyTuning { voice_id, channel, key, tuning, .. } => {
            player.tune(&note(voice_id, channel, key), tuning);
        }
        NoteEvent::PolyVolume { voice_id, channel, key, gain, .. } => {
            player.volume(&note(voice_id, channel, key), gain);
        }
        NoteEvent::PolyPan { voice_id, channel, key, pan, .. } => player.pan(&note(voice_id, channel, key), pan),
        NoteEvent::MidiPitchBend { channel, value, .. } => player.bend(channel, bend(value)),
        // MIDI's own half of the way: below 64 of 127 the pedal is up.
        NoteEvent::MidiCC { channel, cc: SUSTAIN, value, .. } => player.pedal(channel, value >= 0.5),
        NoteEvent::MidiCC { channel, cc: RESET_CONTROLLERS, .. } => player.reset_controllers(channel),
        NoteEvent::MidiCC { channel, cc: ALL_SOUND_OFF, .. } => player.all_sound_off(channel),
        NoteEvent::MidiCC { channel, cc: ALL_NOTES_OFF..=LAST_MODE, .. } => player.all_notes_off(channel),
        NoteEvent::MidiCC { channel, cc, value, .. } if PARAMETERS.contains(&cc) => {
            player.control(channel, cc, (value * 127.0).round() as u8);
        }
        _ => {}
    }
}

/// All notes there are.
pub(super) const EVERYTHING: Note = Note { channel: None, key: None, id: None };

/// A note's level for its velocity: the velocity itself, or bent up to its cube or its cube root.
fn level(velocity: f32, curve: f32) -> f32 {
    if curve == 0.0 { velocity } else { velocity.clamp(0.0, 1.0).powf(3.0_f32.powf(curve)) }
}

/// The wheel from -1 to 1; at rest it is exactly 0, which lies between two of the framework's values.
fn bend(value: f32) -> f32 {
    let steps = (value.clamp(0.0, 1.0) * BEND_MOST).round() - BEND_REST;
    if steps < 0.0 { steps / BEND_REST } else { steps / (BEND_MOST - BEND_REST) }
}

fn note(voice: VoiceID, channel: Channel, key: Key) -> Note {
    Note {
        channel: match channel {
            Channel::Number(channel) => Some(channel),
            Channel::Wildcard => None,
        },
        key: match key {
            Key::Number(key) => Some(key),
            Key::Wildcard => None,
        },
        id: match voice {
            VoiceID::ID(id) => Some(id),
            VoiceID::Wildcard => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wheel_rests_at_nothing_and_goes_all_the_way() {
        for (raw, wanted) in [(0_u16, -1.0), (8_192, 0.0), (16_383, 1.0)] {
            assert!((bend(f32::from(raw) / 16_383.0) - wanted).abs() < 1e-9, "{raw}");
        }
        // A VST3 host's own middle.
        assert!(bend(0.5).abs() < 1e-9);
        assert!(bend(f32::NAN).is_nan(), "the player refuses it");
    }

    #[test]
    fn a_velocity_is_its_level_unless_it_is_bent() {
        for step in 0..=127_u8 {
            let velocity = f32::from(step) / 127.0;
            assert_eq!(level(velocity, 0.0).to_bits(), velocity.to_bits());
            assert!(level(velocity, -1.0) >= velocity && level(velocity, 1.0) <= velocity);
        }
        assert!((level(0.5, 1.0) - 0.125).abs() < 1e-6 && (level(0.125, -1.0) - 0.5).abs() < 1e-6);
    }
}
