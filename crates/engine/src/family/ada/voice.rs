//! The voice: what was heard is encoded, the prior goes on in codes, the modulator looks at them, and the local model draws frames.

use super::codes::SEAM;
use super::nets::Nets;
use super::start::Start;
use crate::autoregressive::{Autoregressive, Softmax};
use crate::error::EngineError;
use crate::family::wavenet::NetStepper;
use crate::voice::{Voice, VoiceRequest};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A voice of a discrete autoencoder.
///
/// Whatever was heard, primed or generated, is one recording to it: when it is primed anew, the end of that is encoded anew.
#[derive(Debug)]
pub(super) struct AdaVoice {
    nets: Arc<Nets>,
    request: VoiceRequest,
    /// The last frames that decide what comes, per variation; one for all while they are the same.
    heard: Vec<VecDeque<f32>>,
    position: u64,
    /// What plays, for parts of the variations in order; nothing before the first frame behind a clip.
    playing: Vec<Autoregressive<NetStepper<u32>, Softmax>>,
}

impl AdaVoice {
    pub fn new(nets: &Arc<Nets>, request: &VoiceRequest) -> Self {
        let (nets, request) = (Arc::clone(nets), request.clone());
        Self { nets, request, heard: vec![VecDeque::new()], position: 0, playing: Vec::new() }
    }

    /// As [`Voice::begin`], with the codes that these frames are known to have instead of those that they are encoded to.
    #[cfg(test)]
    pub fn begin_with(&mut self, known: Vec<Vec<u32>>) -> Result<(), EngineError> {
        let audio: Vec<f32> = self.heard[0].iter().copied().collect();
        let start = Start::new(&self.nets, known, SEAM + self.position, &self.request, &AtomicBool::new(false))?;
        let variations = self.request.variations.clone();
        self.playing = vec![self.play(&start, &audio, variations, &AtomicBool::new(false))?];
        Ok(())
    }

    fn play(
        &self,
        start: &Arc<Start>,
        audio: &[f32],
        variations: Range<u32>,
        cancel: &AtomicBool,
    ) -> Result<Autoregressive<NetStepper<u32>, Softmax>, EngineError> {
        let head = Softmax::new(self.nets.signal, self.request.sampling);
        let request = VoiceRequest { variations, ..self.request.clone() };
        start.voice(0, head, audio, &request, cancel)
    }

    /// The last frames of what was heard, as many as decide what comes; before the first there was silence.
    fn audio(&self, heard: &VecDeque<f32>) -> Vec<f32> {
        let context = self.nets.context();
        let silence = context - heard.len().min(context);
        std::iter::repeat_n(0.0, silence)
            .chain(heard.iter().copied().skip(heard.len().saturating_sub(context)))
            .collect()
    }

    fn keep(&mut self, frames: &[f32], variation: usize) {
        let context = self.nets.context();
        let heard = &mut self.heard[variation];
        heard.extend(&frames[frames.len() - frames.len().min(context)..]);
        let over = heard.len().saturating_sub(context);
        heard.drain(..over);
    }

    fn start(&mut self, cancel: &AtomicBool) -> Result<(), EngineError> {
        if !self.playing.is_empty() {
            return Ok(());
        }
        let all = self.request.variations.clone();
        let mut playing = Vec::with_capacity(self.heard.len());
        for (index, heard) in (0..).zip(&self.heard) {
            if cancel.load(Ordering::Relaxed) {
                return Err(EngineError::Cancelled);
            }
            let variations = if self.heard.len() == 1 { all.clone() } else { all.start + index..all.start + index + 1 };
            let audio = self.audio(heard);
            let codes: Vec<u32> = audio.iter().map(|&amplitude| self.nets.signal.encode(amplitude)).collect();
            let known = self.nets.encode(&codes)?;
            let start = Start::new(&self.nets, known, SEAM + self.position, &self.request, cancel)?;
            playing.push(self.play(&start, &audio, variations, cancel)?);
        }
        self.playing = playing;
        Ok(())
    }
}

/// Frames have other numbers inside.
fn outside(result: Result<(), EngineError>) -> Result<(), EngineError> {
    result.map_err(|error| match error {
        EngineError::NotFinite { path, variation, frame } => {
            EngineError::NotFinite { path, variation, frame: frame.saturating_sub(SEAM) }
        }
        other => other,
    })
}

impl Voice for AdaVoice {
    fn channels(&self) -> usize {
        1
    }

    fn variations(&self) -> Range<u32> {
        self.request.variations.clone()
    }

    fn position(&self) -> u64 {
        self.position
    }

    /// Nothing is computed before the first frame behind the clip is asked for: what the clip's codes are depends on where it ends.
    fn prime(&mut self, clip: &[&[f32]], _cancel: &AtomicBool) -> Result<(), EngineError> {
        let [clip] = clip else {
            let reason = format!("has {} channels; the model has 1", clip.len());
            return Err(EngineError::Request { setting: "the clip", reason });
        };
        if clip.is_empty() {
            return Ok(());
        }
        self.playing.clear();
        if clip.len() >= self.nets.context() {
            // Nothing earlier is heard any more, so the variations are the same again.
            self.heard.truncate(1);
        }
        (0..self.heard.len()).for_each(|variation| self.keep(clip, variation));
        self.position += clip.len() as u64;
        Ok(())
    }

    fn begin(&mut self, cancel: &AtomicBool) -> Result<(), EngineError> {
        let begun = self.start(cancel);
        outside(begun)
    }

    fn generate(&mut self, frames: usize, out: &mut [Vec<f32>], cancel: &AtomicBool) -> Result<(), EngineError> {
        let count = self.request.variations.len();
        if out.len() != count {
            let reason = format!("are {}; there are {count} variations of 1 channel", out.len());
            return Err(EngineError::Request { setting: "the output vectors", reason });
        }
        self.begin(cancel)?;
        let before: Vec<usize> = out.iter().map(Vec::len).collect();
        let mut rest = &mut *out;
        let mut result = Ok(());
        for playing in &mut self.playing {
            let (own, others) = std::mem::take(&mut rest).split_at_mut(playing.variations().len());
            result = result.and_then(|()| playing.generate(frames, own, cancel));
            rest = others;
        }
        outside(result)?;
        if self.heard.len() < count {
            // They part here.
            let together = self.heard.first().cloned().unwrap_or_default();
            self.heard.resize(count, together);
        }
        for (variation, (out, before)) in out.iter().zip(before).enumerate() {
            self.keep(&out[before..], variation);
        }
        self.position += frames as u64;
        Ok(())
    }

    fn bits_per_symbol(&self) -> Vec<f64> {
        self.playing.iter().flat_map(Voice::bits_per_symbol).collect()
    }
}
