//! Where takes are made and kept: the one that grows, the one that is finished, and both at the host's rate.

use std::sync::Arc;

use continuo_engine::audio::{AudioError, Clip, resampled_frames};
use continuo_engine::seam::{Upsampler, model_seed, quantise};

use super::id::TakeId;
use super::level::{Matcher, factor};
use super::play::{OutOfMemory, PlayTake};
use super::shelf::Shelf;
use super::{MAX_VALUES, Recipe, Take};

/// Why a take cannot be laid out at the host's rate.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// It would take too much memory.
    #[error(
        "{variations} takes of {seconds:.0} s at {rate_hz} Hz need {megabytes} MB of memory, more than Continuo takes; choose a shorter length or fewer takes"
    )]
    TooLarge {
        /// Variations.
        variations: usize,
        /// Length of each in seconds.
        seconds: f64,
        /// The rate, the model's or the host's.
        rate_hz: u32,
        /// What they need.
        megabytes: u64,
    },
    /// There is not so much memory now.
    #[error(
        "this machine has no memory for the take now ({megabytes} MB); close other programs, or choose a shorter length or fewer takes"
    )]
    Memory {
        /// What it needs.
        megabytes: u64,
    },
    /// The rates do not go together.
    #[error("the take cannot be converted to the host's rate; set the host to 44.1, 48 or 96 kHz")]
    Rate(#[from] AudioError),
}

/// What an instance holds of takes. Behind a lock that `process()` never takes.
#[derive(Debug, Default)]
pub struct Bench {
    /// The takes that were finished or restored.
    pub shelf: Shelf,
    /// The take that is being rendered.
    pub live: Option<LiveTake>,
    /// The user looks at the chosen take while another one is being rendered.
    pub looks_away: bool,
    /// What is unpacked of the takes that are placed in the song.
    pub placed: Vec<Placed>,
    /// Counts the sessions that were restored: what was made for one of them does not go on the bench of the next.
    pub restored: u64,
}

/// A variation that is placed in the song, as it plays.
#[derive(Debug, Clone)]
pub struct Placed {
    /// Of which take.
    pub take: TakeId,
    /// Which variation.
    pub variation: usize,
    /// For which rate; `None` before the host has one.
    pub rate_hz: Option<u32>,
    /// At that rate; `None` where its sound cannot be had, or there is no rate.
    pub play: Option<Arc<PlayTake>>,
    /// Values of it.
    pub values: u64,
}

/// A take that is being rendered.
#[derive(Debug)]
pub struct LiveTake {
    /// The request that it belongs to.
    pub ticket: u64,
    recipe: Recipe,
    seed: Option<Arc<Clip>>,
    /// Frames so far at the model's rate, `[C][T]` per variation.
    frames: Vec<Vec<Vec<f32>>>,
    output: Option<Output>,
}

/// A take on its way to the host's rate. Dropped before it is finished, whatever the reason, it gives the take up: an
/// offline host waits for frames until somebody says that no more will come.
#[derive(Debug)]
struct Output {
    play: Arc<PlayTake>,
    /// Per variation and channel.
    upsamplers: Vec<Vec<Upsampler>>,
    /// Per channel.
    scratch: Vec<Vec<f32>>,
    matcher: Matcher,
    /// The beginnings of the continuations at the model's rate, as much as decides their level; `[C][T]` per variation.
    beginnings: Vec<Vec<Vec<f32>>>,
}

impl Bench {
    /// The take that is being rendered, while it is what plays and what is shown.
    pub fn shown_live(&self) -> Option<&LiveTake> {
        self.live.as_ref().filter(|_| !self.looks_away)
    }

    /// What plays, at the host's rate.
    pub fn shown_play(&self) -> Option<&Arc<PlayTake>> {
        let live = self.shown_live().and_then(LiveTake::play);
        live.or_else(|| self.shelf.chosen().and_then(|kept| kept.play.as_ref()))
    }
}

impl LiveTake {
    /// An empty take. `rate_hz` is the host's, if it is known.
    pub fn new(ticket: u64, recipe: Recipe, seed: Option<Arc<Clip>>, rate_hz: Option<u32>) -> Result<Self, BenchError> {
        let room = Room::of(&recipe, seed.as_deref(), recipe.model_rate_hz)?;
        let mut frames = Vec::new();
        for _ in 0..recipe.variations {
            let mut channels = vec![Vec::new(); usize::from(recipe.channels)];
            for channel in &mut channels {
                channel.try_reserve_exact(recipe.frames as usize).map_err(|_| room.lacking())?;
            }
            frames.push(channels);
        }
        let mut live = Self { ticket, recipe, seed, frames, output: None };
        if let Some(rate_hz) = rate_hz {
            live.set_rate(rate_hz)?;
        }
        Ok(live)
    }

    /// Lays the take out at the host's rate; frames that are there already come along.
    pub fn set_rate(&mut self, rate_hz: u32) -> Result<(), BenchError> {
        if self.play().is_some_and(|play| play.rate_hz == rate_hz) {
            return Ok(());
        }
        let mut output = Output::new(&self.recipe, self.seed.as_deref(), rate_hz)?;
        for (index, channels) in self.frames.iter().enumerate() {
            output.push(index, channels)?;
        }
        self.output = Some(output);
        Ok(())
    }

    /// Takes the next frames of variation `index` at the model's rate, as many in each channel.
    pub fn push<C: AsRef<[f32]>>(&mut self, index: usize, channels: &[C]) -> Result<(), BenchError> {
        if let Some(variation) = self.frames.get_mut(index) {
            for (channel, frames) in variation.iter_mut().zip(channels) {
                channel.extend_from_slice(frames.as_ref());
            }
        }
        match &mut self.output {
            Some(output) => output.push(index, channels),
            None => Ok(()),
        }
    }

    /// At the host's rate.
    pub fn play(&self) -> Option<&Arc<PlayTake>> {
        self.output.as_ref().map(|output| &output.play)
    }

    /// Frames that the variations have, each a mean of all: the whole take's number when all of them are whole.
    pub fn made_frames(&self) -> u64 {
        let all: usize = self.frames.iter().map(|channels| channels.iter().map(Vec::len).min().unwrap_or(0)).sum();
        (all / self.frames.len().max(1)) as u64
    }

    /// Frames so far at the model's rate, `[C][T]` per variation.
    pub fn frames(&self) -> &[Vec<Vec<f32>>] {
        &self.frames
    }

    /// How it is made.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// The seed clip.
    pub fn seed(&self) -> Option<&Arc<Clip>> {
        self.seed.as_ref()
    }

    /// Notes down how unlikely each variation is under the model, in bits per frame.
    pub fn set_bits(&mut self, bits_per_frame: Vec<f32>) {
        self.recipe.bits_per_frame = bits_per_frame;
    }

    /// Ends it as a whole take.
    pub fn finish(self) -> Result<(Take, Option<Arc<PlayTake>>), BenchError> {
        let play = self.output.map(Output::finish).transpose()?;
        let sample_rate_hz = self.recipe.model_rate_hz;
        let variations = self.frames.into_iter().map(|channels| Arc::new(Clip { sample_rate_hz, channels })).collect();
        Ok((Take { recipe: self.recipe, seed: self.seed, variations }, play))
    }

    /// Ends it without a result, as dropping it does. What plays of it fades out at the last frame that is there.
    pub fn abandon(self) {}
}

/// How many values a take has at the host's rate: frames × channels, over the seed clip and all variations.
///
/// # Errors
/// [`BenchError::TooLarge`] where they are more than a take may have.
pub fn values_at(take: &Take, rate_hz: u32) -> Result<u64, BenchError> {
    Ok(Room::of(&take.recipe, take.seed.as_deref(), rate_hz)?.values)
}

/// What a take needs at some rate.
struct Room {
    variations: usize,
    seconds: f64,
    rate_hz: u32,
    /// Frames of a continuation.
    frames: u64,
    /// Frames × channels of everything.
    values: u64,
}

impl Room {
    /// What a take needs at `rate_hz`, if that is not too much.
    fn of(recipe: &Recipe, seed: Option<&Clip>, rate_hz: u32) -> Result<Self, BenchError> {
        let frames = resampled_frames(recipe.frames, recipe.model_rate_hz, rate_hz);
        let seed_values = seed.map_or(0, |clip| {
            resampled_frames(clip.frames() as u64, clip.sample_rate_hz, rate_hz) * clip.channels.len().min(2) as u64
        });
        let values = frames
            .saturating_mul(u64::from(recipe.variations))
            .saturating_mul(u64::from(recipe.channels))
            .saturating_add(seed_values);
        let room = Self {
            variations: recipe.variations as usize,
            seconds: recipe.frames as f64 / f64::from(recipe.model_rate_hz),
            rate_hz,
            frames,
            values,
        };
        if values <= MAX_VALUES {
            return Ok(room);
        }
        let Self { variations, seconds, rate_hz, .. } = room;
        Err(BenchError::TooLarge { variations, seconds, rate_hz, megabytes: room.megabytes() })
    }

    fn megabytes(&self) -> u64 {
        self.values >> 18
    }

    fn lacking(&self) -> BenchError {
        BenchError::Memory { megabytes: self.megabytes() }
    }
}

impl Output {
    fn new(recipe: &Recipe, seed: Option<&Clip>, rate_hz: u32) -> Result<Self, BenchError> {
        let (variations, channels) = (recipe.variations as usize, usize::from(recipe.channels));
        let room = Room::of(recipe, seed, rate_hz)?;
        let (seed_channels, mut histories) = match seed {
            Some(clip) => (at_rate(clip, rate_hz)?, heard(clip, channels, recipe.model_rate_hz)?),
            None => (Vec::new(), vec![Vec::new(); channels]),
        };
        if let Some(signal) = recipe.signal {
            for history in &mut histories {
                quantise(history, signal);
            }
        }
        let mut play = PlayTake::new(rate_hz, &seed_channels, variations, channels, room.frames as usize)
            .map_err(|OutOfMemory| room.lacking())?;
        play.tempo = recipe.tempo;
        let before = play.crossfade_frames();
        let upsampler = |history: &Vec<f32>| Upsampler::new(recipe.model_rate_hz, rate_hz, history, before);
        let upsamplers =
            (0..variations).map(|_| histories.iter().map(upsampler).collect()).collect::<Result<_, _>>()?;
        Ok(Self {
            play: Arc::new(play),
            upsamplers,
            scratch: vec![Vec::new(); channels],
            matcher: Matcher::new(seed, recipe.model_rate_hz),
            beginnings: vec![vec![Vec::new(); channels]; variations],
        })
    }

    fn push<C: AsRef<[f32]>>(&mut self, index: usize, channels: &[C]) -> Result<(), BenchError> {
        self.measure(index, channels);
        let Some(upsamplers) = self.upsamplers.get_mut(index) else { return Ok(()) };
        for ((upsampler, frames), out) in upsamplers.iter_mut().zip(channels).zip(&mut self.scratch) {
            out.clear();
            upsampler.push(frames.as_ref(), out)?;
        }
        self.play.append(index, &self.scratch);
        Ok(())
    }

    /// Says at which level a variation plays as soon as enough of it is there.
    fn measure<C: AsRef<[f32]>>(&mut self, index: usize, channels: &[C]) {
        let Some(beginning) = self.beginnings.get_mut(index).filter(|_| !self.play.has_level(index)) else { return };
        let wanted = self.matcher.frames();
        for (beginning, frames) in beginning.iter_mut().zip(channels) {
            let frames = frames.as_ref();
            beginning.extend_from_slice(&frames[..frames.len().min(wanted.saturating_sub(beginning.len()))]);
        }
        if beginning.iter().all(|channel| channel.len() >= wanted) {
            self.play.set_level(index, factor(self.matcher.decibels(beginning)));
        }
    }

    fn finish(mut self) -> Result<Arc<PlayTake>, BenchError> {
        for (index, beginning) in self.beginnings.iter().enumerate() {
            // One that is shorter than what is measured otherwise.
            self.play.set_level(index, factor(self.matcher.decibels(beginning)));
        }
        for (index, upsamplers) in std::mem::take(&mut self.upsamplers).into_iter().enumerate() {
            for (upsampler, out) in upsamplers.into_iter().zip(&mut self.scratch) {
                out.clear();
                upsampler.finish(out)?;
            }
            self.play.append(index, &self.scratch);
        }
        self.play.close();
        Ok(Arc::clone(&self.play))
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.play.abandon();
    }
}

/// The channels of `clip` at `rate_hz`, the last frame exactly one frame before the seam. At most two: more are mixed down.
fn at_rate(clip: &Clip, rate_hz: u32) -> Result<Vec<Vec<f32>>, AudioError> {
    let channels = if clip.channels.len() > 2 { vec![clip.mono()] } else { clip.channels.clone() };
    channels
        .into_iter()
        .map(|channel| {
            // `model_seed` aligns with the seam at any rate and continues the filter's view beyond the clip's end.
            model_seed(&Clip { sample_rate_hz: clip.sample_rate_hz, channels: vec![channel] }, rate_hz)
        })
        .collect()
}

/// What a model of so many channels hears of `clip`, per channel: a model of one channel hears the mean.
fn heard(clip: &Clip, channels: usize, model_rate_hz: u32) -> Result<Vec<Vec<f32>>, AudioError> {
    if channels != clip.channels.len() || channels == 1 {
        return Ok(vec![model_seed(clip, model_rate_hz)?; channels]);
    }
    at_rate(clip, model_rate_hz)
}

/// A finished take at the host's rate.
pub fn lay_out(take: &Take, rate_hz: u32) -> Result<Arc<PlayTake>, BenchError> {
    let mut output = Output::new(&take.recipe, take.seed.as_deref(), rate_hz)?;
    for (index, variation) in take.variations.iter().enumerate() {
        output.push(index, &variation.channels)?;
    }
    output.finish()
}

/// A clip alone at the host's rate, of which at most two channels are heard.
pub fn lay_out_clip(clip: &Clip, rate_hz: u32) -> Result<Arc<PlayTake>, BenchError> {
    let channels = at_rate(clip, rate_hz)?;
    let frames = channels.first().map_or(0, Vec::len);
    let megabytes = (frames * channels.len()) as u64 >> 18;
    let play = PlayTake::new(rate_hz, &[], 1, channels.len(), frames);
    let play = play.map_err(|OutOfMemory| BenchError::Memory { megabytes })?;
    play.append(0, &channels);
    play.close();
    Ok(Arc::new(play))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::take::pack::tests::{stereo_take, take};

    fn heard(play: &PlayTake, index: usize) -> Vec<[u32; 2]> {
        let view = play.view(index, true, false).unwrap();
        (0..view.frames() as i64)
            .map(|frame| match view.frame(frame) {
                continuo_realtime::Frame::Ready(frame) => frame.map(f32::to_bits),
                other => panic!("{frame}: {other:?}"),
            })
            .collect()
    }

    #[test]
    fn growing_in_pieces_changing_rate_and_restoring_give_the_same_frames() {
        for (take, rate_hz) in
            [take(), stereo_take()].iter().flat_map(|take| [44_100, 48_000, 96_000].map(|rate| (take, rate)))
        {
            let mut live = LiveTake::new(1, take.recipe.clone(), take.seed.clone(), Some(22_050)).unwrap();
            for start in (0..2_000).step_by(130) {
                if start > 900 {
                    live.set_rate(rate_hz).unwrap();
                }
                for (index, variation) in take.variations.iter().enumerate() {
                    let piece = start..(start + 130).min(2_000);
                    let channels: Vec<&[f32]> =
                        variation.channels.iter().map(|channel| &channel[piece.clone()]).collect();
                    live.push(index, &channels).unwrap();
                }
            }
            let (finished, play) = live.finish().unwrap();
            assert_eq!(finished, *take);
            let play = play.unwrap();
            let restored = lay_out(take, rate_hz).unwrap();
            for index in 0..2 {
                assert_eq!(heard(&play, index), heard(&restored, index));
            }
            assert_eq!(play.frames() as u64, resampled_frames(2_000, 16_000, rate_hz));
            assert_eq!(play.seed_frames(), 2_000 * rate_hz as usize / 44_100);
        }
    }

    #[test]
    fn no_frame_can_be_read_at_the_clips_level_before_that_is_known_and_it_is_the_same_in_the_end() {
        let mut take = take();
        // Longer than what is measured, and half as loud as the clip.
        let tone = |frame: usize| 0.25 * (frame as f32 * 0.2).sin();
        let seed = |frame: usize| 0.5 * (frame as f32 * 0.2 * 16_000.0 / 44_100.0).sin();
        take.seed = Some(Arc::new(Clip { sample_rate_hz: 44_100, channels: vec![(0..88_200).map(seed).collect()] }));
        take.recipe.frames = 40_000;
        for variation in &mut take.variations {
            *variation = Arc::new(Clip { sample_rate_hz: 16_000, channels: vec![(0..40_000).map(tone).collect()] });
        }
        let whole = lay_out(&take, 48_000).unwrap();
        let mut live = LiveTake::new(1, take.recipe.clone(), take.seed.clone(), Some(48_000)).unwrap();
        let play = Arc::clone(live.play().unwrap());
        let exact = play.seed_frames() - play.crossfade_frames();
        for start in (0..40_000).step_by(1_000) {
            for (index, variation) in take.variations.iter().enumerate() {
                live.push(index, &[&variation.channels[0][start..start + 1_000]]).unwrap();
            }
            let (ready, view) = (play.ready(0, true), play.view(0, true, true).unwrap());
            assert_eq!(ready, view.ready());
            assert!(play.ready(0, false) > exact && play.has_level(0) == (start + 1_000 >= 24_000));
            assert_eq!(ready, if play.has_level(0) { play.ready(0, false) } else { exact });
        }
        live.finish().unwrap();
        let twice = crate::take::level::factor(6.0);
        let frames = (whole.seed_frames() + whole.frames()) as i64;
        let [[raw, _], [matched, _], [again, _]] = [(&whole, false), (&whole, true), (&play, true)]
            .map(|(play, matched)| play.frames_between(0, (true, matched), 0, frames).unwrap());
        assert_eq!(matched, again);
        assert_eq!(raw[..exact], matched[..exact]);
        let [raw, matched] = [&raw[whole.seed_frames()..], &matched[whole.seed_frames()..]];
        assert!(raw.iter().zip(matched).all(|(raw, matched)| (raw * twice - matched).abs() < 0.02), "6 dB up");
        // One that ends before it could be measured is measured as far as it goes.
        let mut live = LiveTake::new(1, take.recipe.clone(), take.seed.clone(), Some(48_000)).unwrap();
        live.push(0, &[&take.variations[0].channels[0][..8_000]]).unwrap();
        assert!(!live.play().unwrap().has_level(0));
        assert!(live.finish().unwrap().1.unwrap().has_level(0));
    }

    #[test]
    fn a_take_that_is_not_finished_is_given_up_whatever_the_reason() {
        let take = take();
        let growing = || {
            let mut live = LiveTake::new(1, take.recipe.clone(), take.seed.clone(), Some(48_000)).unwrap();
            live.push(0, &[&take.variations[0].channels[0][..500]]).unwrap();
            let play = Arc::clone(live.play().unwrap());
            assert!(!play.is_complete());
            (live, play)
        };
        let (live, play) = growing();
        drop(live);
        assert!(play.is_complete());
        let (mut live, play) = growing();
        live.set_rate(44_100).unwrap();
        assert!(play.is_complete() && !live.play().unwrap().is_complete());
        // A fault on the way to the end: whoever waits for frames is told that none will come.
        let (live, play) = growing();
        let fault = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            let _live = live;
            panic!("a fault in finishing");
        }));
        assert!(fault.is_err() && play.is_complete());
        assert!(play.ready(0, false) < play.seed_frames() + play.frames(), "given up, not whole");
    }

    #[test]
    fn a_channel_of_a_stereo_take_sounds_as_that_channel_alone() {
        let stereo = stereo_take();
        let both = heard(&lay_out(&stereo, 48_000).unwrap(), 0);
        for side in 0..2 {
            let alone = |clip: &Arc<Clip>| {
                Arc::new(Clip { sample_rate_hz: clip.sample_rate_hz, channels: vec![clip.channels[side].clone()] })
            };
            let mut mono = stereo.clone();
            mono.recipe.channels = 1;
            mono.seed = stereo.seed.as_ref().map(alone);
            mono.variations = stereo.variations.iter().map(alone).collect();
            let one = heard(&lay_out(&mono, 48_000).unwrap(), 0);
            assert!(one.iter().zip(&both).all(|(one, both)| one[0] == both[side] && one[1] == both[side]));
        }
    }

    #[test]
    fn a_take_larger_than_memory_is_refused_in_words() {
        let mut recipe = take().recipe;
        recipe.variations = 8;
        recipe.frames = 16_000 * 600;
        let error = Output::new(&recipe, None, 192_000).unwrap_err();
        assert!(error.to_string().contains("shorter length"), "{error}");
        recipe.frames *= 10;
        let error = LiveTake::new(1, recipe, None, None).unwrap_err();
        assert!(error.to_string().contains("fewer takes"), "{error}");
    }

    #[test]
    fn every_channel_of_every_variation_has_its_room_from_the_beginning() {
        let mut live = LiveTake::new(1, stereo_take().recipe, None, None).unwrap();
        let places = |live: &LiveTake| live.frames.iter().flatten().map(Vec::as_ptr).collect::<Vec<_>>();
        let before = places(&live);
        for _ in 0..20 {
            for index in 0..2 {
                live.push(index, &[[0.5; 100], [0.25; 100]]).unwrap();
            }
        }
        assert_eq!(places(&live), before, "a buffer was moved while the take grew");
    }
}
