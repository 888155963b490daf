//! What an M4A says about its sound track that symphonia does not pass on: the edit list, iTunes' note about the encoder's
//! delay and padding, and the codec.

use std::io::Result;

use super::window::Window;

/// Most bytes of a `moov` box that are read. It holds a number or two per packet: days of sound.
const MOST_MOOV_BYTES: u64 = 1 << 28;
/// Most edits that are followed; a cut has a few.
const MOST_EDITS: usize = 4_096;

/// The sound track.
#[derive(Debug, Clone, Default)]
pub(super) struct Track {
    /// What of the decoded sound is kept.
    pub(super) kept: Kept,
    /// The name of a codec that is not read.
    pub(super) refused: Option<String>,
}

/// The parts of a track's decoded frames that are its sound.
#[derive(Debug, Clone, Default)]
pub(super) struct Kept {
    /// `from..to` in decoded frames, ascending. Empty for all.
    ranges: Vec<(u64, u64)>,
}

impl Kept {
    /// Frames that are kept of so many decoded ones.
    pub(super) fn frames_of(&self, decoded: u64) -> u64 {
        self.overlap(0, decoded)
    }

    /// Frames that are kept of `frames` decoded ones from `at` on.
    pub(super) fn overlap(&self, at: u64, frames: u64) -> u64 {
        if self.ranges.is_empty() {
            return frames;
        }
        let end = at.saturating_add(frames);
        self.ranges.iter().map(|&(from, to)| to.min(end).saturating_sub(from.max(at))).sum()
    }

    /// Cuts a block that begins at decoded frame `at` down to what is kept.
    pub(super) fn apply(&self, block: &mut Vec<f32>, channels: usize, at: u64) {
        if self.ranges.is_empty() || channels == 0 {
            return;
        }
        let frames = (block.len() / channels) as u64;
        let mut kept = 0;
        for &(from, to) in &self.ranges {
            let (from, to) = (from.clamp(at, at + frames) - at, to.clamp(at, at + frames) - at);
            let (from, to) = (from as usize * channels, to as usize * channels);
            if from < to {
                block.copy_within(from..to, kept);
                kept += to - from;
            }
        }
        block.truncate(kept);
    }
}

/// A box: its name and content.
type Box4<'a> = ([u8; 4], &'a [u8]);

/// The boxes that lie one after the other in `bytes`. Ends where none is whole.
fn boxes(bytes: &[u8]) -> impl Iterator<Item = Box4<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (length, name) = (number(rest, 0)? as usize, rest.get(4..8)?.try_into().ok()?);
        let (head, length) = match length {
            0 => (8, rest.len()),
            1 => (16, usize::try_from(u64::from(number(rest, 8)?) << 32 | u64::from(number(rest, 12)?)).ok()?),
            length => (8, length),
        };
        let content = rest.get(head..length)?;
        rest = &rest[length..];
        Some((name, content))
    })
}

fn find<'a>(bytes: &'a [u8], path: &[&[u8; 4]]) -> Option<&'a [u8]> {
    path.iter()
        .try_fold(bytes, |bytes, name| boxes(bytes).find(|(found, _)| found == *name).map(|(_, content)| content))
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]))
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from(number(bytes, at)?) << 32 | u64::from(number(bytes, at + 4)?))
}

/// Reads the `moov` box, wherever it lies, and leaves the window anywhere. Nothing is refused here but codecs: what is
/// damaged, symphonia will say.
pub(super) fn read(window: &mut Window) -> Result<Track> {
    let mut at = 0;
    let moov = loop {
        let head = window.peek(at, 16)?;
        let (Some(short), Some(name)) = (number(&head, 0), head.get(4..8)) else { return Ok(Track::default()) };
        let (skip, length) = match short {
            0 => (8, window.len() - at),
            1 => (16, long(&head, 8).unwrap_or(0)),
            length => (8, u64::from(length)),
        };
        if length < skip {
            return Ok(Track::default());
        }
        if name == b"moov" {
            break window.peek(at + skip, (length - skip).min(MOST_MOOV_BYTES) as usize)?;
        }
        at = at.saturating_add(length);
    };
    let sound = boxes(&moov).filter(|(name, _)| name == b"trak").find(|(_, trak)| {
        find(trak, &[b"mdia", b"hdlr"]).is_some_and(|hdlr| hdlr.get(8..12) == Some(b"soun".as_slice()))
    });
    let Some((_, trak)) = sound else { return Ok(Track::default()) };
    let refused = find(trak, &[b"mdia", b"minf", b"stbl", b"stsd"]).and_then(refused_codec);
    // iTunes counts in frames, an edit list in the film's clock, which can be coarser.
    let ranges = match (edits(&moov, trak), itunes(&moov)) {
        (Some(edits), Some(note)) if edits.len() == 1 && edits[0].0 == note[0].0 => Some(note),
        (edits, note) => edits.or(note),
    };
    let kept = Kept { ranges: ranges.unwrap_or_default() };
    Ok(Track { kept, refused })
}

/// The name of the first sample entry's codec, if symphonia has no decoder for it.
fn refused_codec(stsd: &[u8]) -> Option<String> {
    let name = stsd.get(12..16)?;
    Some(match name {
        b"Opus" => "Opus".into(),
        b"ac-3" => "Dolby AC-3".into(),
        b"ec-3" => "Dolby E-AC-3".into(),
        b"ac-4" => "Dolby AC-4".into(),
        b"drms" | b"enca" => "a copy-protected track".into(),
        b"samr" | b"sawb" => "AMR".into(),
        b"QDM2" | b"QDMC" => "QDesign Music".into(),
        b"MAC3" | b"MAC6" => "MACE".into(),
        b"wma " => "Windows Media Audio".into(),
        _ => return None,
    })
}

/// The edit list in frames, where the track's clock is its sample rate.
fn edits(moov: &[u8], trak: &[u8]) -> Option<Vec<(u64, u64)>> {
    let elst = find(trak, &[b"edts", b"elst"])?;
    let media_scale = media_scale(trak)?;
    let movie_scale = find(moov, &[b"mvhd"]).and_then(timescale)?;
    let rate = sample_rate(trak)?;
    let total = media_frames(trak)?;
    let wide = elst.first() == Some(&1);
    let width = if wide { 20 } else { 12 };
    let count = (number(elst, 4)? as usize).min(MOST_EDITS);
    let mut ranges = Vec::new();
    for edit in elst.get(8..)?.chunks_exact(width).take(count) {
        let (duration, start) = if wide {
            (long(edit, 0)?, long(edit, 8)? as i64)
        } else {
            (u64::from(number(edit, 0)?), i64::from(number(edit, 4)? as i32))
        };
        // A pause in the film, not in the recording.
        let Ok(start) = u64::try_from(start) else { continue };
        let scaled =
            |value: u64, scale: u64| u64::try_from(u128::from(value) * u128::from(rate) / u128::from(scale)).ok();
        let (from, length) = (scaled(start, media_scale)?, scaled(duration, movie_scale)?);
        // The film's clock is coarse, so an edit that reaches to about the end reaches to the end. 0 stands for all.
        let tick = rate.div_ceil(movie_scale) + 1;
        let to = from.saturating_add(length);
        let to = if duration == 0 || total > 0 && to + tick >= total { total.max(to) } else { to };
        let to = if total > 0 { to.min(total) } else { u64::MAX };
        ranges.push((from, to));
    }
    // Parts in another order than they lie in cannot be put in place as they come: better all than some.
    let ascending = ranges.windows(2).all(|pair| pair[0].1 <= pair[1].0) && ranges.iter().all(|(from, to)| from < to);
    (ascending && !ranges.is_empty()).then_some(ranges)
}

/// Ticks per second of a `mvhd` or `mdhd` box.
fn timescale(head: &[u8]) -> Option<u64> {
    number(head, if head.first() == Some(&1) { 20 } else { 12 }).map(u64::from).filter(|&scale| scale > 0)
}

fn media_scale(trak: &[u8]) -> Option<u64> {
    find(trak, &[b"mdia", b"mdhd"]).and_then(timescale)
}

/// The sample rate of the first sample entry, whose field ends at 65 535; above, the track's clock ticks once per frame.
fn sample_rate(trak: &[u8]) -> Option<u64> {
    let scale = media_scale(trak)?;
    let stsd = find(trak, &[b"mdia", b"minf", b"stbl", b"stsd"])?;
    let told = number(stsd, 8 + 32).map_or(0, |fixed| u64::from(fixed >> 16));
    Some(if told == 0 || scale > u64::from(u16::MAX) { scale } else { told })
}

/// Length of the track's sound in frames by its table of durations; 0 if that is elsewhere (in fragments).
fn media_frames(trak: &[u8]) -> Option<u64> {
    let (rate, scale) = (sample_rate(trak)?, media_scale(trak)?);
    let stts = find(trak, &[b"mdia", b"minf", b"stbl", b"stts"])?;
    let mut total = 0_u64;
    for entry in stts.get(8..)?.chunks_exact(8).take(number(stts, 4)? as usize) {
        total = total.saturating_add(u64::from(number(entry, 0)?) * u64::from(number(entry, 4)?));
    }
    u64::try_from(u128::from(total) * u128::from(rate) / u128::from(scale)).ok()
}

/// iTunes' note: hexadecimal numbers, of which the second is the delay, the third the padding and the fourth the length.
fn itunes(moov: &[u8]) -> Option<Vec<(u64, u64)>> {
    let meta = find(moov, &[b"udta", b"meta"])?;
    let list = find(meta.get(4..)?, &[b"ilst"])?;
    let note = boxes(list).filter(|(name, _)| name == b"----").find_map(|(_, entry)| {
        let is_it = find(entry, &[b"name"]).is_some_and(|name| name.ends_with(b"iTunSMPB"));
        find(entry, &[b"data"]).filter(|_| is_it)
    })?;
    let text = std::str::from_utf8(note.get(8..)?).ok()?;
    let numbers: Vec<u64> =
        text.split_whitespace().map_while(|word| u64::from_str_radix(word, 16).ok()).take(4).collect();
    let &[_, delay, _, length] = numbers.as_slice() else { return None };
    (length > 0 && delay < 1 << 20).then(|| vec![(delay, delay.saturating_add(length))])
}
