//! FLAC, MP3, OGG Vorbis, AAC in M4A, AIFF, and the WAVs that hound refuses, through symphonia.
//!
//! Some damaged files make symphonia panic (an overflow in a header's arithmetic, for one). That is caught here and told
//! as damage; the reader is not touched again afterwards.

use std::fs::File;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use symphonia::core::audio::AudioSpec;
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;

use super::AudioError;
use super::decoder::{End, Info, SourceError, Step};

/// What is told of a panic.
const GAVE_UP: &str = "its decoder gave up in an unforeseen way";

/// A file that symphonia reads.
pub(super) struct PacketSource {
    format: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    track: u32,
    damaged: u64,
    longest: u64,
    /// The first packet, decoded while opening: containers such as raw AAC tell rate and channels nowhere else.
    first: Option<Vec<f32>>,
    /// How the stream ended while opening, if it did.
    ended: Option<End>,
}

impl PacketSource {
    pub(super) fn open(path: &Path, text: bool) -> Result<(Self, Info), AudioError> {
        catch_unwind(|| Self::open_unguarded(path, text))
            .unwrap_or_else(|_| Err(AudioError::Damaged { path: path.to_path_buf(), reason: GAVE_UP.into() }))
    }

    fn open_unguarded(path: &Path, text: bool) -> Result<(Self, Info), AudioError> {
        let file = File::open(path).map_err(|e| AudioError::io(path, "read", e))?;
        let stream = MediaSourceStream::new(Box::new(file), MediaSourceStreamOptions::default());
        let refuse = |e: Error| refusal(path, text, e);
        // Text never is audio, and a search for MP3 markers through a megabyte of it could find one.
        if text {
            return Err(refuse(Error::Unsupported("")));
        }
        let format = symphonia::default::get_probe()
            .probe(&Hint::new(), stream, FormatOptions::default(), MetadataOptions::default())
            .map_err(refuse)?;
        let damaged = |reason: &str| AudioError::Damaged { path: path.to_path_buf(), reason: reason.into() };
        let track = format.default_track(TrackType::Audio).ok_or_else(|| AudioError::NotAudio {
            path: path.to_path_buf(),
            reason: format!("a {} file without a sound track", format.format_info().short_name),
        })?;
        let (id, declared_frames) = (track.id, track.num_frames);
        let params = track.codec_params.as_ref().and_then(|p| p.audio());
        let params = params.ok_or_else(|| damaged("its sound track says nothing about its encoding"))?;
        let decoder = symphonia::default::get_codecs()
            .make_audio_decoder(params, &AudioDecoderOptions::default())
            .map_err(refuse)?;
        let mut format_name = format.format_info().short_name.to_owned();
        let codec = decoder.codec_info().short_name;
        if codec != format_name {
            format_name = format!("{format_name} {codec}");
        }
        let by_header = params.sample_rate.zip(params.channels.as_ref().map(symphonia::core::audio::Channels::count));
        let mut source = Self { format, decoder, track: id, damaged: 0, longest: 0, first: None, ended: None };

        // What comes out of the decoder counts, not what the container says.
        let mut block = Vec::new();
        let (sample_rate_hz, channels) = match source.pull(&mut block, path)? {
            Pulled::Frames(spec) => {
                source.first = Some(block);
                (spec.rate(), spec.channels().count())
            }
            Pulled::End(end) => {
                source.ended = Some(end);
                by_header.ok_or_else(|| damaged("no packet of it decodes"))?
            }
        };
        Ok((source, Info { sample_rate_hz, channels, declared_frames, format: format_name }))
    }

    pub(super) fn damaged_packets(&self) -> u64 {
        self.damaged
    }

    pub(super) fn longest_packet_frames(&self) -> u64 {
        self.longest
    }

    pub(super) fn next(&mut self, block: &mut Vec<f32>, info: &Info, _at: u64) -> Result<Step, SourceError> {
        if let Some(first) = self.first.take() {
            *block = first;
            return Ok(Step::Frames);
        }
        if let Some(end) = self.ended.take() {
            return Ok(Step::End(end));
        }
        match self.pull_io(block)? {
            Pulled::End(end) => Ok(Step::End(end)),
            Pulled::Frames(spec) => {
                let channels = spec.channels().count();
                if (spec.rate(), channels) == (info.sample_rate_hz, info.channels) {
                    return Ok(Step::Frames);
                }
                Err(SourceError::Layout {
                    from: layout(info.sample_rate_hz, info.channels),
                    to: layout(spec.rate(), channels),
                })
            }
        }
    }

    fn pull(&mut self, block: &mut Vec<f32>, path: &Path) -> Result<Pulled, AudioError> {
        self.pull_io(block).map_err(|e| match e {
            SourceError::Io(e) => AudioError::io(path, "read", e),
            SourceError::Layout { from, to } => {
                AudioError::LayoutChanged { path: path.to_path_buf(), frame: 0, from, to }
            }
        })
    }

    /// Decodes packets until one gives frames.
    fn pull_io(&mut self, block: &mut Vec<f32>) -> Result<Pulled, SourceError> {
        catch_unwind(AssertUnwindSafe(|| self.pull_unguarded(block))).unwrap_or_else(|_| {
            block.clear();
            Ok(Pulled::End(End::Broken(GAVE_UP.into())))
        })
    }

    fn pull_unguarded(&mut self, block: &mut Vec<f32>) -> Result<Pulled, SourceError> {
        loop {
            let packet = match self.format.next_packet() {
                Ok(Some(packet)) => packet,
                Ok(None) => return Ok(Pulled::End(End::Complete)),
                Err(Error::ResetRequired) => match self.next_stream() {
                    Ok(()) => continue,
                    Err(reason) => return Ok(Pulled::End(End::Broken(reason))),
                },
                Err(Error::IoError(e)) if e.kind() == ErrorKind::UnexpectedEof => {
                    return Ok(Pulled::End(End::OutOfBytes));
                }
                Err(Error::IoError(e)) => return Err(SourceError::Io(e)),
                Err(e) => return Ok(Pulled::End(End::Broken(e.to_string()))),
            };
            if packet.track_id != self.track {
                continue;
            }
            match self.decoder.decode(&packet) {
                Ok(audio) if audio.frames() == 0 => {}
                Ok(audio) => {
                    self.longest = self.longest.max(audio.frames() as u64);
                    let spec = audio.spec().clone();
                    audio.copy_to_vec_interleaved(block);
                    return Ok(Pulled::Frames(spec));
                }
                // Decoders are made to go on after a packet that they could not read.
                Err(Error::DecodeError(_) | Error::IoError(_)) => self.damaged += 1,
                Err(e) => return Ok(Pulled::End(End::Broken(e.to_string()))),
            }
        }
    }

    /// A chained stream began: the same file goes on with another set of tracks.
    fn next_stream(&mut self) -> Result<(), String> {
        let track = self.format.default_track(TrackType::Audio).ok_or("a chained stream without a sound track")?;
        let params = track.codec_params.as_ref().and_then(|p| p.audio()).ok_or("a chained stream without encoding")?;
        self.decoder = symphonia::default::get_codecs()
            .make_audio_decoder(params, &AudioDecoderOptions::default())
            .map_err(|e| e.to_string())?;
        self.track = track.id;
        Ok(())
    }
}

enum Pulled {
    Frames(AudioSpec),
    End(End),
}

fn layout(rate: u32, channels: usize) -> String {
    format!("{rate} Hz, {channels} channel{}", if channels == 1 { "" } else { "s" })
}

fn refusal(path: &Path, text: bool, error: Error) -> AudioError {
    let path = path.to_path_buf();
    match error {
        _ if text => AudioError::NotAudio { path, reason: "it begins with text".into() },
        Error::Unsupported(what) if what.contains("no suitable format reader") => {
            AudioError::NotAudio { path, reason: "no known audio format was found in it".into() }
        }
        Error::Unsupported(what) => AudioError::Unsupported { path, what: what.into() },
        Error::IoError(e) if e.kind() == ErrorKind::UnexpectedEof => {
            AudioError::Damaged { path, reason: "it breaks off too early to be read".into() }
        }
        Error::IoError(e) => AudioError::io(&path, "read", e),
        e => AudioError::Damaged { path, reason: e.to_string() },
    }
}
