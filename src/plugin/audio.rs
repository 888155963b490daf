//! The audio thread's side. Nothing here allocates, locks, logs, touches a file or runs a model.

use std::sync::Arc;

use continuo_realtime::{
    Arm, Armed, BarClock, CaptureWriter, Cue, Pass, Player, SmoothedGain, Source, TakeView, Timeline, Transport,
    pin_beats,
};
use nice_plug::prelude::{
    AuxiliaryBuffers, Buffer, BufferConfig, Plugin, PluginApi, ProcessContext, ProcessMode, ProcessStatus,
};

use super::arrangement::{self, Banks};
use super::block::{self, Part};
use super::course::course;
use super::keys::{self, Aim};
use super::vst3::BlockMode;
use super::wait;
use crate::params::{ContinuoParams, MAX_VARIATIONS, Meter, Playback};
use crate::session::{AudioCommand, AudioLink, Audition, Capture, CaptureRing};
use crate::take::play::PlayTake;

/// Frames over which a change of `gain` is smoothed, in seconds.
const GAIN_SECONDS: f32 = 0.01;

/// Takes that can be read: the one that plays, the one before it while it fades out, and what is played to the user.
type Slots = [Option<Arc<PlayTake>>; 3];

/// The slot of what is played to the user.
const AUDITION: u8 = 2;

/// What the audio thread owns.
pub(super) struct Audio {
    params: Arc<ContinuoParams>,
    rate_hz: f64,
    waits: wait::Policy,
    vst3: Option<Arc<BlockMode>>,
    slots: Slots,
    current: u8,
    /// A take that waits until a slot is free.
    next: Option<Arc<PlayTake>>,
    /// What is to be played to the user once the slot for it is free.
    next_audition: Option<Audition>,
    /// What is placed in the song.
    banks: Banks,
    player: Player,
    timeline: Timeline,
    /// What the host said of bars at the beginning of its block.
    bars: BarClock,
    gain: SmoothedGain,
    capture: Option<Arc<CaptureRing>>,
    capturing: bool,
    /// Which pass of the host's loop is captured, where that is wished.
    arm: Arm,
}

impl Audio {
    pub(super) fn new(params: Arc<ContinuoParams>) -> Self {
        Self {
            rate_hz: 48_000.0,
            waits: wait::Policy::Never,
            vst3: BlockMode::of_new_instance(),
            slots: [None, None, None],
            current: 0,
            next: None,
            next_audition: None,
            banks: Banks::new(),
            player: Player::new(48_000),
            timeline: Timeline::new(),
            bars: BarClock { beats_per_bar: 4.0, beats: None, bar_start: None, bar_number: None },
            gain: SmoothedGain::new(1.0, 480),
            capture: None,
            capturing: false,
            arm: Arm::new(),
            params,
        }
    }

    /// Not on the audio thread: allocates.
    pub(super) fn activate(&mut self, config: &BufferConfig, api: PluginApi) {
        self.rate_hz = f64::from(config.sample_rate);
        let rate_hz = config.sample_rate.round() as u32;
        self.waits = wait::Policy::new(api, config.process_mode == ProcessMode::Offline, self.vst3.as_ref());
        self.player = self.player.at_rate(rate_hz);
        self.gain = SmoothedGain::new(self.params.gain.value(), (config.sample_rate * GAIN_SECONDS) as u32);
        self.capture = Some(self.params.session.link.capture_ring(rate_hz));
        // What another rate left behind is useless now, and this is a thread that may free it.
        for slot in &mut self.slots {
            if slot.as_ref().is_some_and(|take| take.rate_hz != rate_hz) {
                *slot = None;
            }
        }
        self.next = None;
        self.next_audition = None;
        self.banks.keep_at(rate_hz);
        self.reset();
    }

    pub(super) fn reset(&mut self) {
        self.player.reset();
        self.timeline.reset();
        self.gain.settle();
    }

    pub(super) fn process<P: Plugin<SysExMessage = ()>>(
        &mut self,
        buffer: &mut Buffer,
        aux: &mut AuxiliaryBuffers,
        context: &mut impl ProcessContext<P>,
    ) -> ProcessStatus {
        let frames = buffer.samples();
        let part = block::part(frames);
        let [left, right] = buffer.as_slice() else { return ProcessStatus::Normal };
        let (left, right) = (&mut **left, &mut **right);
        left.fill(0.0);
        right.fill(0.0);

        let params = Arc::clone(&self.params);
        let link = &params.session.link;
        link.tick();
        let meter = meter(context.transport(), link);
        link.set_meter(meter);
        if context.transport().tempo.is_some() {
            link.know_meter();
        }
        self.switch(link, meter);
        self.capture(aux, part, context.transport(), meter);
        self.receive(link);
        self.receive_audition(link);

        self.banks.receive(link, &self.player);

        let midi = params.playback.value() == Playback::Midi;
        let with_seed = params.play_seed.value();
        let matched = params.timeline.level_match.value();
        let arranged = !midi && params.timeline.arrangement.value();
        let variation = (params.variation.value().clamp(1, MAX_VARIATIONS) - 1) as u8;
        if self.waits.in_this_block() {
            // Which take plays is only known once the renderer has sent it.
            loop {
                let waited = wait::for_take(link, self.slots[usize::from(self.current)].as_deref());
                self.receive(link);
                if !waited {
                    break;
                }
            }
            while arranged && wait::for_arrangement(link) {
                self.receive(link);
                self.banks.receive(link, &self.player);
            }
            self.banks.receive(link, &self.player);
        }
        let take = self.slots[usize::from(self.current)].as_deref();
        // A choice beyond what the take has plays its last variation; one source for one sound.
        let variations = take.map_or(0, PlayTake::variations) as u8;
        let variation = variation.min(variations.saturating_sub(1));
        let source = Source { slot: self.current, variation, with_seed, matched };
        // Without its seed clip a continuation begins in the middle of a sound.
        let soft = !with_seed && take.is_some_and(|take| take.seed_frames() > 0);

        let course = take.filter(|_| !midi && !arranged).map(|take| course(&params.timeline, take, with_seed));
        if let Some(course) = course {
            let cue = self.cue(part, context.transport(), meter, (Some(params.pin_bars()), frames));
            let beat = self.timeline.beat(meter.beats_per_bar);
            self.player.go(cue, (source, soft), (course, beat), frames);
        } else {
            self.player.stop();
        }
        link.set_song(if arranged {
            self.go_along(part, context.transport(), meter, frames)
        } else {
            self.player.stop_arrangement();
            if course.is_none() {
                self.timeline.reset();
            }
            None
        });

        if !midi {
            // A key that was held while playback was switched to the timeline ends here.
            self.player.choke(&keys::EVERYTHING);
        }
        self.player.set_keys(keys::settings(&params.keys));
        self.player.aim(source, soft);

        let mut done = 0;
        while let Some(event) = context.next_event() {
            let at = (event.timing() as usize).clamp(done, frames);
            self.mix(&mut left[done..at], &mut right[done..at]);
            done = at;
            if midi || keys::is_controller(&event) {
                keys::act(&mut self.player, &event, Aim { source, soft }, &params.keys);
            }
        }
        self.mix(&mut left[done..], &mut right[done..]);
        self.gain.set(params.gain.value());
        for (l, r) in left.iter_mut().zip(right) {
            let gain = self.gain.advance();
            *l *= gain;
            *r *= gain;
        }

        link.add_missing(self.player.take_missing());
        let playing = self.player.playing();
        link.set_playhead(playing.map(|playing| self.frame_of_whole(playing.source, playing.frame)));
        // A rest within a take is no reason to put the instrument to sleep; between notes, a note wakes it.
        let heard = self.player.auditioning();
        link.set_auditioned(heard.and_then(|heard| {
            let take = self.slots[usize::from(AUDITION)].as_deref()?;
            Some((take.id, self.frame_of_whole(heard.source, heard.frame)))
        }));
        // A user who looks may want to hear something at any moment.
        let rests = midi && playing.is_none() && heard.is_none() && !link.is_looked_at();
        if rests { ProcessStatus::Normal } else { ProcessStatus::KeepAlive }
    }

    /// Mixes the next frames; an offline host waits for those that are not ready.
    fn mix(&mut self, left: &mut [f32], right: &mut [f32]) {
        if left.is_empty() {
            return;
        }
        let (slots, banks) = (&self.slots, &self.banks);
        if self.waits.in_this_block() {
            let ahead = left.len() + self.player.declick_frames() + 1;
            self.player.needs(ahead, |source, end| {
                if let Some(take) = take_of(slots, banks, source) {
                    wait::for_frames(take, source, end);
                }
            });
        }
        self.player.mix(|source| view(slots, banks, source), left, right);
    }

    /// Acts on switches that went on.
    fn switch(&self, link: &AudioLink, meter: Meter) {
        let (render, cancel) = link.turned_on(self.params.render.value(), self.params.cancel.value());
        // A full queue means that the service is hopelessly behind; the user will press again.
        if render {
            let _ = link.ask(AudioCommand::Render(meter));
        }
        if cancel {
            let _ = link.ask(AudioCommand::Cancel);
        }
    }

    /// Records the sidechain: all of it while the switch is on, or one pass of the host's loop.
    fn capture(
        &mut self,
        aux: &mut AuxiliaryBuffers,
        part: Part,
        transport: &nice_plug::prelude::Transport,
        meter: Meter,
    ) {
        let on = self.params.capture.value();
        let begins = on && !self.capturing;
        self.capturing = on;
        if begins {
            self.arm = Arm::new();
        }
        let link = &self.params.session.link;
        let (true, Some(ring)) = (on, &self.capture) else { return link.set_capture(Capture::Off) };
        let writer = CaptureWriter::new(&ring.channels[0], &ring.channels[1], &ring.written);
        let Some([left, right]) = aux.inputs.first_mut().map(Buffer::as_slice) else { return };
        if !self.params.capture_loop.value() {
            if begins {
                writer.begin();
            }
            writer.write(left, right);
            return link.set_capture(Capture::Records);
        }
        let frames = left.len().min(right.len());
        let pass = match part {
            Part::First | Part::Later { moved: Some(_) } => pass(transport, meter, self.rate_hz),
            // What the host has said at the block's beginning, as many frames further on.
            Part::Later { moved: None } => self.arm.expected(),
        };
        let recording = self.arm.advance(pass.filter(|_| transport.playing), frames);
        if recording.begins {
            writer.begin();
        }
        writer.write(&left[recording.frames.clone()], &right[recording.frames]);
        link.set_capture(match self.arm.state() {
            Armed::Waits if pass.is_none() && transport.playing => Capture::NoLoop,
            Armed::Waits => Capture::Waits,
            Armed::Records => Capture::Records,
            Armed::Done => Capture::Done,
        });
    }

    /// Brings in what the renderer sent and hands back what nothing reads any more.
    fn receive(&mut self, link: &AudioLink) {
        // Only with room for what it displaces: an unplayed take must not be freed on this thread.
        while !link.retired_is_full()
            && let Some(newer) = link.next_take()
        {
            if let Some(unplayed) = self.next.replace(newer) {
                let _ = link.retire(unplayed);
            }
        }
        let (current, other) = (usize::from(self.current), usize::from(1 - self.current));
        if !self.player.uses(1 - self.current)
            && let Some(done) = self.slots[other].take()
            && let Err(done) = link.retire(done)
        {
            self.slots[other] = Some(done);
        }
        // A take that is finished is sent once more; it already plays.
        let again = |next: &mut Arc<PlayTake>| self.slots[current].as_ref().is_some_and(|now| now.id == next.id);
        if let Some(again) = self.next.take_if(again) {
            if let Err(again) = link.retire(again) {
                self.next = Some(again);
            }
            return;
        }
        if self.slots[other].is_none()
            && let Some(next) = self.next.take()
        {
            self.player.close_slot(self.current);
            self.slots[other] = Some(next);
            self.current = 1 - self.current;
        }
    }

    /// Begins and ends what is played to the user. A bounce has nobody who listens.
    fn receive_audition(&mut self, link: &AudioLink) {
        if self.waits.in_this_block() {
            self.player.forget_audition(AUDITION);
        }
        if link.takes_audition_end() {
            self.player.stop_audition();
            self.drop_audition(link);
        }
        // As with takes: only with room for what is displaced.
        while !link.retired_is_full()
            && let Some(newer) = link.next_audition()
        {
            if let Some(unheard) = self.next_audition.replace(newer) {
                let _ = link.retire(unheard.take);
            }
        }
        let slot = usize::from(AUDITION);
        let Some(next) = &self.next_audition else {
            if self.player.auditioning().is_none() {
                self.free_audition(link);
            }
            return;
        };
        // A bounce plays nothing to anybody, and what was made for another rate would sound at another pitch.
        if self.waits.in_this_block() || next.take.rate_hz != self.rate_hz.round() as u32 {
            return self.drop_audition(link);
        }
        let same = self.slots[slot].as_ref().is_some_and(|now| now.id == next.take.id);
        if !same {
            self.player.stop_audition();
            self.free_audition(link);
            if self.slots[slot].is_some() {
                return;
            }
        }
        if link.retired_is_full() {
            return;
        }
        let Some(Audition { take, variation, with_seed, frame }) = self.next_audition.take() else { return };
        let soft = !with_seed && take.seed_frames() > 0;
        if same {
            let _ = link.retire(take);
        } else {
            self.slots[slot] = Some(take);
        }
        let matched = self.params.timeline.level_match.value();
        self.player.audition(Source { slot: AUDITION, variation, with_seed, matched }, frame, soft);
    }

    /// Gives up what waits to be played to the user. Without room for it, it waits to be given up.
    fn drop_audition(&mut self, link: &AudioLink) {
        if !link.retired_is_full()
            && let Some(unheard) = self.next_audition.take()
        {
            let _ = link.retire(unheard.take);
        }
    }

    /// Hands the take that was played to the user back, once nothing reads it.
    fn free_audition(&mut self, link: &AudioLink) {
        let slot = usize::from(AUDITION);
        if !self.player.uses(AUDITION)
            && let Some(done) = self.slots[slot].take()
            && let Err(done) = link.retire(done)
        {
            self.slots[slot] = Some(done);
        }
    }

    /// Plays what is placed in the song; gives where the song stands in quarter notes, if it runs.
    fn go_along(
        &mut self,
        part: Part,
        transport: &nice_plug::prelude::Transport,
        meter: Meter,
        frames: usize,
    ) -> Option<f64> {
        let params = Arc::clone(&self.params);
        let cue = self.cue(part, transport, meter, (None, frames));
        let beat = self.timeline.beat(meter.beats_per_bar);
        let how = arrangement::How::of(&params, meter.beats_per_bar);
        self.player.arrange(self.banks.row(&how));
        let crossfade = f64::from(params.timeline.arrangement_crossfade.value()) / 1e3 * self.rate_hz;
        self.player.go_along(cue, beat, (crossfade + 0.5) as u32, frames);
        (cue != Cue::Stopped).then_some(beat.since_pin)
    }

    /// Where the song stands from `bars` bars after its start on; from its start with none.
    fn cue(
        &mut self,
        part: Part,
        transport: &nice_plug::prelude::Transport,
        meter: Meter,
        (bars, frames): (Option<f64>, usize),
    ) -> Cue {
        if part == Part::First {
            self.bars = BarClock {
                beats_per_bar: meter.beats_per_bar,
                beats: transport.pos_beats,
                bar_start: transport.bar_start_pos_beats,
                bar_number: transport.bar_number,
            };
        }
        let pin = bars.map_or(0.0, |bars| pin_beats(&self.bars, bars));
        if part == (Part::Later { moved: None })
            && let Some(cue) = self.timeline.go_on(pin, self.rate_hz, frames)
        {
            return cue;
        }
        // The framework adds the part's distance from the block's beginning, also to a position that the host gave later.
        let early = match (part, transport.tempo) {
            (Part::Later { moved: Some(at) }, Some(_)) => f64::from(at) / self.rate_hz,
            _ => 0.0,
        };
        let now = Transport {
            playing: transport.playing,
            tempo: meter.tempo,
            beats: transport.pos_beats.map(|beats| beats - early / 60.0 * meter.tempo),
            seconds: transport.pos_seconds.map(|seconds| seconds - early),
            frames: transport.pos_samples,
        };
        self.timeline.advance(&now, pin, self.rate_hz, frames)
    }

    fn frame_of_whole(&self, source: Source, frame: i64) -> i64 {
        let take = take_of(&self.slots, &self.banks, source);
        let seed_frames = take.map_or(0, PlayTake::seed_frames) as i64;
        if source.with_seed { frame } else { frame + seed_frames }
    }
}

/// What a source reads.
fn take_of<'a>(slots: &'a Slots, banks: &'a Banks, source: Source) -> Option<&'a PlayTake> {
    match slots.get(usize::from(source.slot)) {
        Some(slot) => slot.as_deref(),
        None => banks.take(source.slot),
    }
}

fn view<'a>(slots: &'a Slots, banks: &'a Banks, source: Source) -> Option<TakeView<'a>> {
    take_of(slots, banks, source)?.view(usize::from(source.variation), source.with_seed, source.matched)
}

/// Where the host's loop lies, if it has one.
fn pass(transport: &nice_plug::prelude::Transport, meter: Meter, rate_hz: f64) -> Option<Pass> {
    let ((begin, end), now) = transport.loop_range_beats().zip(transport.pos_beats())?;
    let frames_per_beat = 60.0 / meter.tempo * rate_hz;
    Some(Pass { begin: (begin - now) * frames_per_beat, end: (end - now) * frames_per_beat })
}

/// The host's tempo and signature; what it leaves out stays as it was.
fn meter(transport: &nice_plug::prelude::Transport, link: &AudioLink) -> Meter {
    let before = link.meter();
    let tempo = transport.tempo.filter(|tempo| tempo.is_finite() && *tempo > 0.0);
    let signature = transport.time_sig_numerator.zip(transport.time_sig_denominator);
    let beats_per_bar = signature
        .filter(|(numerator, denominator)| *numerator > 0 && *denominator > 0)
        .map(|(numerator, denominator)| f64::from(numerator) / f64::from(denominator) * 4.0);
    Meter { tempo: tempo.unwrap_or(before.tempo), beats_per_bar: beats_per_bar.unwrap_or(before.beats_per_bar) }
}
