//! What the gates of a local model are told: the modulator's biases for each code, with the codes drawn as far ahead as it looks.

use super::codes::{Codes, SEAM};
use super::nets::{Level, Nets};
use crate::autoregressive::{Condition, Teller, Told};
use crate::error::EngineError;
use crate::voice::Voice;
use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// What was heard before the seam, and what draws the codes behind it.
pub(super) trait Heard: Debug + Send + Sync {
    /// The networks.
    fn nets(&self) -> &Nets;

    /// The codes of a level up to the seam.
    fn known(&self, level: usize) -> &[u32];

    /// The step of a level's local model at the seam: a frame, or a code that is counted from [`SEAM`].
    fn seam(&self, level: usize) -> u64;

    /// What draws the codes of a level behind the seam, for these variations.
    fn above(self: Arc<Self>, level: usize, variations: Range<u32>) -> Result<Codes, EngineError>;
}

/// The biases of a batch of variations. Codes are counted from the seam; those before it have negative indices.
///
/// A modulator runs over pieces that depend on where the seam is alone ([`super::grid::Grid`]), so what comes out does not depend on
/// how generating was cut into calls.
#[derive(Debug)]
pub(super) struct Conditioner {
    heard: Arc<dyn Heard>,
    level: usize,
    /// Draws the codes behind the seam; none while all variations are one, of which none has drawn a code.
    above: Option<Box<Codes>>,
    /// The number of the first variation.
    variation: u32,
    /// Index of the first code that is kept.
    first: i64,
    /// Per variation the codes from there on.
    codes: Vec<Vec<u32>>,
    /// The codes whose biases are there.
    piece: Range<i64>,
    /// Per variation what the modulator saw, and what it said: `[codes][L·2D]`.
    said: Vec<(Vec<u32>, Vec<f32>)>,
    /// The code that is told, and what it tells: `[B][L·2D]`.
    now: Option<i64>,
    told: Vec<f32>,
}

impl Conditioner {
    /// For all variations, as long as they are one.
    pub fn together(heard: Arc<dyn Heard>, level: usize) -> Self {
        let known = heard.known(level).to_vec();
        Self {
            heard,
            level,
            above: None,
            variation: 0,
            first: -(known.len() as i64),
            codes: vec![known],
            piece: 0..0,
            said: vec![(Vec::new(), Vec::new())],
            now: None,
            told: Vec::new(),
        }
    }

    /// The step, counted from the seam, before which the gates are told the same in all variations.
    pub fn common(level: &Level) -> i64 {
        level.grid.first_open(level.ahead) * level.hop as i64
    }

    fn net(&self) -> &Level {
        &self.heard.nets().levels[self.level]
    }

    /// Draws codes until those below this index are known.
    fn draw(&mut self, until: i64) -> Result<(), EngineError> {
        let there = self.first + self.codes.first().map_or(0, Vec::len) as i64;
        let Ok(missing @ 1..) = usize::try_from(until - there) else { return Ok(()) };
        let Some(above) = &mut self.above else {
            let reason = "codes of all variations were asked for behind the seam".to_owned();
            return Err(self.net().decoder.source().failed(reason));
        };
        let mut drawn = vec![Vec::with_capacity(missing); self.codes.len()];
        above.generate(missing, &mut drawn, &AtomicBool::new(false))?;
        let head = above.head();
        for (codes, drawn) in self.codes.iter_mut().zip(drawn) {
            codes.extend(drawn.into_iter().map(|amplitude| head.code(amplitude)));
        }
        Ok(())
    }

    /// Makes the biases of a piece of codes.
    fn load(&mut self, piece: Range<i64>, step: u64) -> Result<(), EngineError> {
        let ahead = self.net().ahead as i64;
        let (from, until) = (piece.start - ahead, piece.end + ahead);
        self.draw(until)?;
        // Earlier codes are not asked for again.
        let past = usize::try_from(from - self.first).unwrap_or(0);
        self.codes.iter_mut().for_each(|codes| drop(codes.drain(..past)));
        self.first += past as i64;
        let seen = (until - from) as usize;
        for index in 0..self.codes.len() {
            let codes = self.codes[index].get(..seen).unwrap_or_default();
            if self.said[index].0 == codes {
                continue;
            }
            let before = index.checked_sub(1).map(|before| &self.said[before]);
            self.said[index] = if let Some(before) = before.filter(|(same, _)| same == codes) {
                before.clone()
            } else {
                let said = self.net().modulate(codes, ahead as usize, (piece.end - piece.start) as usize)?;
                let variation = self.variation + index as u32;
                let said = said.ok_or_else(|| self.net().decoder.source().not_finite(variation, step))?;
                (codes.to_vec(), said)
            };
        }
        self.piece = piece;
        Ok(())
    }
}

impl Condition for Conditioner {
    fn at(&mut self, step: u64, _batch: usize) -> Result<Told<'_>, EngineError> {
        let (hop, width) = (self.net().hop as i64, self.net().told);
        let behind = step.cast_signed() - self.heard.seam(self.level).cast_signed();
        let code = behind.div_euclid(hop);
        if self.now != Some(code) {
            if !self.piece.contains(&code) {
                self.load(self.net().grid.piece(code), step)?;
            }
            let at = (code - self.piece.start) as usize * width;
            self.told.clear();
            for (_, said) in &self.said {
                self.told.extend_from_slice(&said[at..at + width]);
            }
            self.now = Some(code);
        }
        let steps = (hop - behind.rem_euclid(hop)) as usize;
        Ok(Told { values: &self.told, number: code.cast_unsigned(), steps })
    }

    fn fork(&self, variations: Range<u32>) -> Result<Box<dyn Condition>, EngineError> {
        let count = variations.len();
        Ok(Box::new(Self {
            heard: Arc::clone(&self.heard),
            level: self.level,
            above: Some(Box::new(Arc::clone(&self.heard).above(self.level, variations.clone())?)),
            variation: variations.start,
            first: self.first,
            codes: self.codes.iter().cycle().take(count).cloned().collect(),
            piece: self.piece.clone(),
            said: self.said.iter().cycle().take(count).cloned().collect(),
            now: None,
            told: Vec::new(),
        }))
    }
}

/// What the gates of level 0 are told of a whole recording, whose codes are all known: as in training, there is nothing before its
/// first code and behind its last.
#[derive(Debug)]
pub(super) struct Recordings<'a> {
    level: &'a Level,
    /// Per recording its codes.
    codes: Vec<Vec<u32>>,
    /// Frames of silence before the recordings, which fill up the first code.
    pub before: usize,
    now: Option<usize>,
    piece: Option<usize>,
    said: Vec<Vec<f32>>,
    told: Vec<f32>,
}

impl<'a> Recordings<'a> {
    /// Encodes recordings of one length; silence before them fills up the first code.
    pub fn new(level: &'a Level, recordings: &[Vec<u32>], silence: u32) -> Result<Self, EngineError> {
        let length = recordings.first().map_or(0, Vec::len);
        let before = length.next_multiple_of(level.hop) - length;
        let codes = recordings.iter().map(|codes| level.encoded(&[vec![silence; before], codes.clone()].concat()));
        let codes = codes.collect::<Result<Vec<_>, _>>()?;
        Ok(Self { level, codes, before, now: None, piece: None, said: Vec::new(), told: Vec::new() })
    }
}

impl Teller for Recordings<'_> {
    fn tell(&mut self, frame: usize) -> Result<Option<Told<'_>>, EngineError> {
        let level = self.level;
        let code = (frame + self.before) / level.hop;
        let length = level.grid.length();
        let (piece, within) = (code / length, code % length);
        if self.piece != Some(piece) {
            let (from, until) = (piece * length, (piece + 1) * length);
            let seen = from.saturating_sub(level.ahead)..until + level.ahead;
            let say = |(index, codes): (usize, &Vec<u32>)| {
                let codes = &codes[seen.start.min(codes.len())..seen.end.min(codes.len())];
                let said = level.modulate(codes, from - seen.start, length)?;
                said.ok_or_else(|| level.decoder.source().not_finite(index as u32, frame as u64))
            };
            self.said = self.codes.iter().enumerate().map(say).collect::<Result<_, _>>()?;
            (self.piece, self.now) = (Some(piece), None);
        }
        if self.now != Some(code) {
            self.told.clear();
            for said in &self.said {
                self.told.extend_from_slice(&said[within * level.told..][..level.told]);
            }
            self.now = Some(code);
        }
        let steps = level.hop - (frame + self.before) % level.hop;
        Ok(Some(Told { values: &self.told, number: code as u64, steps }))
    }
}

const _: () = assert!(SEAM > 1 << 26, "steps before the seam have numbers");
