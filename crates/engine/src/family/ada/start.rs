//! Where a voice begins: the codes of what was heard, and the voices that go on from them.

use super::codes::{CodeHead, Codes, SEAM};
use super::conditioner::{Conditioner, Heard};
use super::nets::Nets;
use crate::autoregressive::{Autoregressive, Head, Past};
use crate::error::EngineError;
use crate::family::wavenet::NetStepper;
use crate::voice::{Voice, VoiceRequest};
use crate::workers::Workers;
use std::ops::Range;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

/// What was heard, in codes, and what goes on from it.
///
/// A code's frames end where the clip ends: the first code that is drawn begins with the first new frame. So no code is of frames
/// that are partly known and partly not, whatever the clip's length; where the first known code would begin before the clip,
/// there is silence.
#[derive(Debug)]
pub(super) struct Start {
    nets: Arc<Nets>,
    /// Per level the codes up to the seam.
    known: Vec<Vec<u32>>,
    /// Has heard the last level's codes; variations fork it.
    prior: Mutex<Codes>,
    request: VoiceRequest,
    seam_frame: u64,
}

impl Start {
    /// Goes on from these codes of each level; the frame behind them has this number.
    pub fn new(
        nets: &Arc<Nets>,
        known: Vec<Vec<u32>>,
        seam_frame: u64,
        request: &VoiceRequest,
        cancel: &AtomicBool,
    ) -> Result<Arc<Self>, EngineError> {
        let (Some(net), Some(codes)) = (&nets.prior, known.last()) else {
            let reason = "is asked for sound of its own, but has no prior over its codes; train one".to_owned();
            return Err(EngineError::Request { setting: "the model", reason });
        };
        let top = known.len() - 1;
        // A run of one code at the beginning stands for endless repetition: the prior forgets what lies before in any case.
        let silence = codes.first().copied().unwrap_or_default();
        let heard = &codes[codes.iter().take_while(|&&code| code == silence).count()..];
        let head = head(nets, request, top, silence, seam_frame);
        let symbols: Vec<f32> = heard.iter().map(|&code| head.amplitude(code)).collect();
        let past = Past { reach: Some(net.reach()), silence_before: net.reach() };
        let stepper = net.stepper(request.precision, 0)?;
        let request = VoiceRequest { workers: Workers::alone(), ..request.clone() };
        let prior = Autoregressive::new(net.source().clone(), stepper, head, 1, past, &request)?;
        let mut prior = prior.starting_at(SEAM - symbols.len() as u64);
        prior.begin(cancel)?;
        prior.prime(&[&symbols], cancel)?;
        Ok(Arc::new(Self { nets: Arc::clone(nets), known, prior: Mutex::new(prior), request, seam_frame }))
    }

    /// The local model of a level, which has heard the last of these symbols and what their codes tell its gates.
    pub fn voice<H: Head<Symbol = u32> + 'static>(
        self: &Arc<Self>,
        level: usize,
        head: H,
        symbols: &[f32],
        request: &VoiceRequest,
        cancel: &AtomicBool,
    ) -> Result<Autoregressive<NetStepper<u32>, H>, EngineError> {
        let net = &self.nets.levels[level];
        let symbols = &symbols[symbols.len() - net.primed().min(symbols.len())..];
        let stepper = net.decoder.stepper(request.precision, 0)?;
        // Nothing is ever forgotten at once: what the gates were told differs from variation to variation.
        let past = Past { reach: None, silence_before: 0 };
        let voice = Autoregressive::new(net.decoder.source().clone(), stepper, head, 1, past, request)?;
        let first = self.seam(level) - symbols.len() as u64;
        let heard: Arc<dyn Heard> = Arc::<Self>::clone(self);
        let mut voice = voice.told(Box::new(Conditioner::together(heard, level))).starting_at(first);
        // As far as the modulator looks ahead, the codes behind the seam have a say in what the gates are told before it, and each
        // variation has its own.
        let common = usize::try_from(symbols.len() as i64 + Conditioner::common(net)).unwrap_or(0);
        let (common, own) = symbols.split_at(common.min(symbols.len()));
        voice.prime(&[common], cancel)?;
        voice.part_now()?;
        voice.prime(&[own], cancel)?;
        Ok(voice)
    }
}

impl Heard for Start {
    fn nets(&self) -> &Nets {
        &self.nets
    }

    fn known(&self, level: usize) -> &[u32] {
        self.known.get(level).map_or(&[], Vec::as_slice)
    }

    fn seam(&self, level: usize) -> u64 {
        if level == 0 { self.seam_frame } else { SEAM }
    }

    fn above(self: Arc<Self>, level: usize, variations: Range<u32>) -> Result<Codes, EngineError> {
        if level + 1 == self.nets.levels.len() {
            // What a thread that panicked has left is as it was: forking changes nothing.
            return self.prior.lock().unwrap_or_else(PoisonError::into_inner).fork(variations);
        }
        let codes = self.known(level);
        let silence = codes.first().copied().unwrap_or_default();
        let head = head(&self.nets, &self.request, level, silence, self.seam_frame);
        let symbols: Vec<f32> = codes.iter().map(|&code| head.amplitude(code)).collect();
        let request = VoiceRequest { variations, ..self.request.clone() };
        self.voice(level + 1, head, &symbols, &request, &AtomicBool::new(false))
    }
}

/// The head for the codes of a level.
fn head(nets: &Nets, request: &VoiceRequest, level: usize, silence: u32, seam_frame: u64) -> CodeHead {
    let codes = nets.levels[level].codes;
    CodeHead::new(request.sampling, (codes, silence), level, seam_frame, nets.frames_per_code(level))
}
