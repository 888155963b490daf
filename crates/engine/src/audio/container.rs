//! M4A, CAF and Matroska: symphonia's readers in front of its decoders, with what M4A's edit list and iTunes' note say about
//! the encoder's delay read around them, since symphonia 0.6 leaves them alone.

use std::io::{self, ErrorKind, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};

use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::codecs::audio::well_known::{
    CODEC_ID_AAC, CODEC_ID_AC3, CODEC_ID_ADPCM_IMA_QT, CODEC_ID_EAC3, CODEC_ID_MP1, CODEC_ID_MP2, CODEC_ID_MP3,
    CODEC_ID_OPUS, CODEC_ID_VORBIS,
};
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;
use symphonia::core::packet::Packet;

use super::aac::{self, Extension};
use super::codec::{Codec, Decoded, GAVE_UP, Layout};
use super::loss::{Cause, Log};
use super::mp4;
use super::source::{End, Info, Opened, Refusal, Source, Step};
use super::window::Window;

/// Packets that are looked at while opening.
const LOOKED_AT: usize = 32;

/// Opens a file of one of symphonia's containers.
pub(super) fn open(window: Window) -> std::result::Result<Opened, Refusal> {
    let mut window = window;
    let is_mp4 = matches!(window.peek(4, 4)?.as_slice(), b"ftyp" | b"moov");
    let edits = if is_mp4 { mp4::read(&mut window)? } else { mp4::Track::default() };
    if let Some(codec) = edits.refused {
        return Err(Refusal::Unsupported(codec));
    }
    let window = window.part(0, u64::MAX)?;
    catch_unwind(AssertUnwindSafe(|| open_unguarded(window, &edits.kept)))
        .unwrap_or_else(|_| Err(Refusal::damaged(GAVE_UP)))
}

fn open_unguarded(window: Window, kept: &mp4::Kept) -> std::result::Result<Opened, Refusal> {
    let stream = MediaSourceStream::new(Box::new(window), MediaSourceStreamOptions::default());
    let mut format = symphonia::default::get_probe()
        .probe(&Hint::new(), stream, FormatOptions::default(), MetadataOptions::default())
        .map_err(refusal)?;
    let container = format.format_info().short_name;
    let track = format
        .default_track(TrackType::Audio)
        .ok_or_else(|| Refusal::NotAudio(format!("a {container} file without a sound track")))?;
    let (id, by_header) = (track.id, track.num_frames);
    let params = track.codec_params.as_ref().and_then(|params| params.audio());
    let params = params.ok_or_else(|| Refusal::damaged("its sound track says nothing about its encoding"))?.clone();
    let is_aac = params.codec == CODEC_ID_AAC;
    if let Some(codec) = params.extra_data.as_deref().filter(|_| is_aac).and_then(aac::refusal) {
        return Err(Refusal::Unsupported(codec));
    }
    let codec = Codec::new(&params, false).map_err(|e| Refusal::codec(&codec_name(&params), e))?;
    let name = codec.name();
    let format_name = if name == container { name.to_owned() } else { format!("{container} {name}") };

    // What comes out of the decoder counts, not what the container says: the first packets are decoded here.
    let mut waiting = Vec::new();
    let mut extension = Extension::default();
    let mut ended = None;
    while waiting.len() < LOOKED_AT && ended.is_none() {
        match next_packet(format.as_mut(), id)? {
            Ok(packet) => {
                if is_aac {
                    extension.look(&packet.data);
                }
                waiting.push(packet);
            }
            Err(end) => ended = Some(end),
        }
    }
    if extension.is_there() {
        return Err(Refusal::Unsupported("HE-AAC".into()));
    }
    waiting.reverse();
    let trims_itself = matches!(params.codec, CODEC_ID_VORBIS | CODEC_ID_MP1 | CODEC_ID_MP2 | CODEC_ID_MP3);
    let frames_told = |declared: u64| kept.frames_of(declared);
    let mut source = ContainerSource {
        format,
        track: id,
        codec,
        waiting,
        ended,
        trims_itself,
        layout: None,
        kept: kept.clone(),
        decoded: 0,
        longest: 0,
        first: Vec::new(),
        log: Log::default(),
    };
    let mut first = Vec::new();
    let mut log = Log::default();
    let outcome = source.pull(&mut first, &mut log)?;
    let layout = match (source.layout, params.sample_rate, &params.channels) {
        (Some(layout), ..) => layout,
        (None, Some(rate_hz), Some(channels)) => Layout { rate_hz, channels: channels.count() },
        _ => return Err(Refusal::damaged("no packet of it decodes")),
    };
    if let Step::End(end) = outcome {
        source.ended = Some(end);
        source.waiting.clear();
    }
    (source.first, source.log) = (first, log);
    let info = Info {
        sample_rate_hz: layout.rate_hz,
        channels: layout.channels,
        declared_frames: by_header.map(frames_told),
        format: format_name,
    };
    Ok(Opened::new(source, info))
}

/// The next packet of a track, or how the stream ends.
fn next_packet(format: &mut dyn FormatReader, track: u32) -> Result<std::result::Result<Packet, End>> {
    loop {
        let Ok(packet) = catch_unwind(AssertUnwindSafe(|| format.next_packet())) else {
            return Ok(Err(End::Broken(GAVE_UP.into())));
        };
        return Ok(match packet {
            Ok(Some(packet)) if packet.track_id != track => continue,
            Ok(Some(packet)) => Ok(packet),
            Ok(None) => Err(End::Complete),
            Err(Error::IoError(e)) if e.kind() == ErrorKind::UnexpectedEof => Err(End::OutOfBytes),
            Err(Error::IoError(e)) => return Err(e),
            Err(e) => Err(End::Broken(e.to_string())),
        });
    }
}

/// A track of a container.
struct ContainerSource {
    format: Box<dyn FormatReader>,
    track: u32,
    codec: Codec,
    /// Packets that were read while opening, the next one last.
    waiting: Vec<Packet>,
    /// How the stream ends behind them, if that was seen.
    ended: Option<End>,
    /// The decoder cuts off what a packet says is padding.
    trims_itself: bool,
    layout: Option<Layout>,
    kept: mp4::Kept,
    /// Frames decoded so far, kept or not.
    decoded: u64,
    longest: u64,
    /// What was decoded while opening, and what was missing in it.
    first: Vec<f32>,
    log: Log,
}

impl ContainerSource {
    fn pull(&mut self, block: &mut Vec<f32>, log: &mut Log) -> Result<Step> {
        loop {
            let packet = match (self.waiting.pop(), self.ended.take()) {
                (Some(packet), ended) => {
                    self.ended = ended;
                    packet
                }
                (None, Some(end)) => return Ok(Step::End(end)),
                (None, None) => match next_packet(self.format.as_mut(), self.track)? {
                    Ok(packet) => packet,
                    Err(end) => return Ok(Step::End(end)),
                },
            };
            match self.codec.decode_packet(&packet, block) {
                Decoded::Frames(0, _) => {}
                Decoded::Frames(frames, layout) => {
                    let known = *self.layout.get_or_insert(layout);
                    if known != layout {
                        block.clear();
                        let (from, to) = (known.to_string(), layout.to_string());
                        log.lose(0, None, Cause::OtherLayout { from, to });
                        return Ok(Step::End(End::Complete));
                    }
                    self.longest = self.longest.max(frames);
                    if !self.trims_itself {
                        let (front, back) = (packet.trim_start.get(), packet.trim_end.get());
                        cut(block, layout.channels, front, frames.saturating_sub(back));
                    }
                    let frames = (block.len() / layout.channels.max(1)) as u64;
                    self.kept.apply(block, layout.channels, self.decoded);
                    self.decoded += frames;
                    if !block.is_empty() {
                        return Ok(Step::Frames);
                    }
                }
                Decoded::Damaged => {
                    let frames = packet.dur.get();
                    let wanted = self.kept.overlap(self.decoded, frames);
                    if wanted > 0 {
                        log.lose(0, Some(wanted), Cause::Damaged { what: "a damaged packet" });
                    }
                    self.decoded += frames;
                }
                Decoded::Broken(reason) => return Ok(Step::End(End::Broken(reason))),
            }
        }
    }
}

impl Source for ContainerSource {
    fn next(&mut self, block: &mut Vec<f32>, log: &mut Log) -> Result<Step> {
        for loss in self.log.take() {
            log.lose_at(loss.at_frame, loss.frames, loss.cause);
        }
        if !self.first.is_empty() {
            std::mem::swap(block, &mut self.first);
            return Ok(Step::Frames);
        }
        self.pull(block, log)
    }

    fn slack_frames(&self) -> u64 {
        self.longest
    }
}

/// Keeps the frames from `from` up to `to` of a block.
fn cut(block: &mut Vec<f32>, channels: usize, from: u64, to: u64) {
    let at = |frame: u64| usize::try_from(frame).unwrap_or(usize::MAX).saturating_mul(channels).min(block.len());
    let (from, to) = (at(from), at(to));
    block.truncate(to);
    block.drain(..from.min(to));
}

fn codec_name(params: &AudioCodecParameters) -> String {
    match params.codec {
        CODEC_ID_OPUS => "Opus".into(),
        CODEC_ID_AC3 => "Dolby AC-3".into(),
        CODEC_ID_EAC3 => "Dolby E-AC-3".into(),
        CODEC_ID_AAC => "AAC".into(),
        CODEC_ID_ADPCM_IMA_QT => "IMA ADPCM".into(),
        other => format!("the codec {other}"),
    }
}

fn refusal(error: Error) -> Refusal {
    match error {
        Error::Unsupported(what) if what.contains("no suitable format reader") => {
            Refusal::NotAudio("no known audio format was found in it".into())
        }
        // An M4A whose index lies at its end, and whose end is missing.
        Error::Unsupported(what) if what.contains("missing moov") => io::Error::from(ErrorKind::UnexpectedEof).into(),
        Error::Unsupported(what) => Refusal::Unsupported(what.into()),
        Error::IoError(e) if e.kind() == ErrorKind::UnexpectedEof => io::Error::from(ErrorKind::UnexpectedEof).into(),
        Error::IoError(e) => Refusal::Io(e),
        e => Refusal::Damaged(e.to_string()),
    }
}
