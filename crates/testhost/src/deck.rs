//! The audio thread's side: a transport, event queues and one block after the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, anyhow};
use clack_host::events::EventFlags;
use clack_host::events::event_types::{
    MidiEvent, NoteExpressionEvent, NoteExpressionType, NoteOffEvent, NoteOnEvent, ParamValueEvent, TransportEvent,
    TransportFlags,
};
use clack_host::prelude::*;
use clack_host::utils::{BeatTime, SecondsTime};

use crate::callbacks::Studio;

/// Quarter notes per bar: the transport keeps to 4/4.
const BEATS_PER_BAR: f64 = 4.0;

/// How many events a plugin may send in a block before the host takes memory for more.
const REPLIES: usize = 1_024;

/// Sample rate and largest block of an activation.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    /// Frames per second.
    pub sample_rate_hz: u32,
    /// Frames in the largest block.
    pub block: u32,
}

/// A running plugin with its transport.
pub struct Deck {
    processor: StartedPluginAudioProcessor<Studio>,
    setup: Setup,
    /// Port, channel, frame.
    inputs: Vec<Vec<Vec<f32>>>,
    outputs: Vec<Vec<Vec<f32>>>,
    input_ports: AudioPorts,
    output_ports: AudioPorts,
    events: EventBuffer,
    replies: EventBuffer,
    /// Quarter notes per minute, as if the song had been at this tempo from its beginning.
    pub tempo: f64,
    /// Where the tempo was changed on the way, and at which quarter note.
    turn: (i64, f64),
    /// Whether the transport rolls.
    pub playing: bool,
    /// Frames from bar 1 to the next block; negative in a pre-roll.
    pub position: i64,
    /// The loop, in quarter notes from bar 1. The transport goes back to its begin where its end falls on the end of a block.
    pub cycle: Option<(f64, f64)>,
    steady: u64,
    played: Arc<AtomicU64>,
}

impl Deck {
    /// Starts processing on this thread, for ports with so many channels each.
    pub(crate) fn start(
        stopped: StoppedPluginAudioProcessor<Studio>,
        setup: Setup,
        inputs: &[usize],
        outputs: &[usize],
        played: Arc<AtomicU64>,
    ) -> Result<Self> {
        let processor = stopped.start_processing().map_err(|error| anyhow!("{error}"))?;
        let ports = |channels: &[usize]| AudioPorts::with_capacity(channels.iter().sum(), channels.len());
        let buffers = |channels: &[usize]| -> Vec<Vec<Vec<f32>>> {
            channels.iter().map(|&channels| vec![vec![0.0; setup.block as usize]; channels]).collect()
        };
        Ok(Self {
            processor,
            setup,
            inputs: buffers(inputs),
            outputs: buffers(outputs),
            input_ports: ports(inputs),
            output_ports: ports(outputs),
            events: EventBuffer::new(),
            replies: EventBuffer::with_capacity(REPLIES),
            tempo: 120.0,
            turn: (0, 0.0),
            playing: false,
            position: 0,
            cycle: None,
            steady: 0,
            played,
        })
    }

    /// Changes the tempo from the next block on; the song goes on from the quarter note where it is.
    pub fn change_tempo(&mut self, tempo: f64) {
        self.turn = (self.position, self.beats());
        self.tempo = tempo;
    }

    /// Sets a parameter at a frame of the next block.
    pub fn set(&mut self, frame: u32, (parameter, value): (ClapId, f64)) {
        self.events.push(&ParamValueEvent::new(frame, parameter, Pckn::match_all(), value));
    }

    /// Starts a note at a frame of the next block.
    pub fn note_on(&mut self, frame: u32, key: u16, velocity: f64) {
        self.events.push(&NoteOnEvent::new(frame, Pckn::new(0_u16, 0_u16, key, u32::from(key)), velocity));
    }

    /// Ends a note at a frame of the next block.
    pub fn note_off(&mut self, frame: u32, key: u16) {
        self.events.push(&NoteOffEvent::new(frame, Pckn::new(0_u16, 0_u16, key, u32::from(key)), 0.0));
    }

    /// Changes something of a sounding note at a frame of the next block, in CLAP's units.
    pub fn express(&mut self, frame: u32, key: u16, what: NoteExpressionType, value: f64) {
        let note = Pckn::new(0_u16, 0_u16, key, u32::from(key));
        self.events.push(&NoteExpressionEvent::new(frame, note, what, value));
    }

    /// Sends a MIDI message at a frame of the next block.
    pub fn midi(&mut self, frame: u32, message: [u8; 3]) {
        self.events.push(&MidiEvent::new(frame, 0, message));
    }

    /// Writes the next block's input: the same on every channel of every port.
    pub fn feed(&mut self, mut value: impl FnMut(usize) -> f32) {
        for channel in self.inputs.iter_mut().flatten() {
            channel.iter_mut().enumerate().for_each(|(frame, out)| *out = value(frame));
        }
    }

    /// Runs one block of at most the largest size; returns the main output's channels, shape `[C][T]`.
    pub fn run(&mut self, frames: u32) -> Result<Vec<&[f32]>> {
        self.run_within(frames, |process| process())
    }

    /// The same, with the plugin's own work inside `around`, which must call what it is given once.
    pub fn run_within(&mut self, frames: u32, around: impl FnOnce(&mut dyn FnMut())) -> Result<Vec<&[f32]>> {
        let frames = frames.min(self.setup.block) as usize;
        for channel in self.outputs.iter_mut().flatten() {
            channel.fill(f32::NAN);
        }
        self.events.sort();
        let transport = self.transport();
        let inputs = self.input_ports.with_input_buffers(self.inputs.iter_mut().map(|port| AudioPortBuffer {
            latency: 0,
            channels: AudioPortBufferType::f32_input_only(
                port.iter_mut().map(|channel| InputChannel::variable(&mut channel[..frames])),
            ),
        }));
        let mut outputs = self.output_ports.with_output_buffers(self.outputs.iter_mut().map(|port| AudioPortBuffer {
            latency: 0,
            channels: AudioPortBufferType::f32_output_only(port.iter_mut().map(|channel| &mut channel[..frames])),
        }));
        let (events, mut replies) = (self.events.as_input(), self.replies.as_output());
        let mut status = None;
        around(&mut || {
            let steady = Some(self.steady);
            status =
                Some(self.processor.process(&inputs, &mut outputs, &events, &mut replies, steady, Some(&transport)));
        });
        status
            .context("the block was never processed")?
            .map_err(|error| anyhow!("{error}"))
            .context("the plugin failed to process a block")?;
        self.events.clear();
        self.replies.clear();
        self.steady += frames as u64;
        if self.playing {
            self.position += frames as i64;
            self.played.fetch_add(frames as u64, Ordering::Relaxed);
            let frame_of =
                |beats: f64| (beats * 60.0 / self.tempo * f64::from(self.setup.sample_rate_hz)).round() as i64;
            if let Some((begin, end)) = self.cycle.filter(|(_, end)| self.position == frame_of(*end)) {
                self.position -= frame_of(end) - frame_of(begin);
            }
        }
        let main = self.outputs.first().context("the plugin has no audio output")?;
        Ok(main.iter().map(|channel| &channel[..frames]).collect())
    }

    pub(crate) fn stop(self) -> StoppedPluginAudioProcessor<Studio> {
        self.processor.stop_processing()
    }

    /// Quarter notes from bar 1 to the next block.
    fn beats(&self) -> f64 {
        let (position, beats) = self.turn;
        beats + (self.position - position) as f64 / f64::from(self.setup.sample_rate_hz) * self.tempo / 60.0
    }

    fn transport(&self) -> TransportEvent {
        let seconds = self.position as f64 / f64::from(self.setup.sample_rate_hz);
        let beats = self.beats();
        let bar = (beats / BEATS_PER_BAR).floor();
        let mut flags = TransportFlags::HAS_TEMPO
            | TransportFlags::HAS_BEATS_TIMELINE
            | TransportFlags::HAS_SECONDS_TIMELINE
            | TransportFlags::HAS_TIME_SIGNATURE;
        flags.set(TransportFlags::IS_PLAYING, self.playing);
        flags.set(TransportFlags::IS_LOOP_ACTIVE, self.cycle.is_some());
        let (begin, end) = self.cycle.unwrap_or_default();
        let seconds_of = |beats: f64| SecondsTime::from_float(beats * 60.0 / self.tempo);
        TransportEvent {
            header: EventHeader::new_core(0, EventFlags::empty()),
            flags,
            song_pos_beats: BeatTime::from_float(beats),
            song_pos_seconds: SecondsTime::from_float(seconds),
            tempo: self.tempo,
            tempo_inc: 0.0,
            loop_start_beats: BeatTime::from_float(begin),
            loop_end_beats: BeatTime::from_float(end),
            loop_start_seconds: seconds_of(begin),
            loop_end_seconds: seconds_of(end),
            bar_start: BeatTime::from_float(bar * BEATS_PER_BAR),
            bar_number: bar as i32,
            time_signature_numerator: 4,
            time_signature_denominator: 4,
        }
    }
}
