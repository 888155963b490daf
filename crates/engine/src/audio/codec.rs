//! One of symphonia's decoders, guarded: some damaged packets make it panic (an overflow in a header's arithmetic, for
//! one). That is told as damage, and the decoder is not touched again.

use std::panic::{AssertUnwindSafe, catch_unwind};

use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::packet::Packet;
use symphonia::core::units::{Duration, Timestamp};

/// What is told of a panic.
pub(super) const GAVE_UP: &str = "its decoder gave up in an unforeseen way";

/// A codec's decoder.
pub(super) struct Codec {
    decoder: Box<dyn AudioDecoder>,
    /// One packet's frames.
    scratch: Vec<f32>,
}

/// Sample rate and number of channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) rate_hz: u32,
    pub(super) channels: usize,
}

impl std::fmt::Display for Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} Hz, {} channel{}", self.rate_hz, self.channels, if self.channels == 1 { "" } else { "s" })
    }
}

/// What a packet gave.
pub(super) enum Decoded {
    /// This many frames were appended, perhaps none.
    Frames(u64, Layout),
    /// Nothing: the packet is damaged, the next may be good.
    Damaged,
    /// Nothing will come of this stream any more.
    Broken(String),
}

/// Most frames in a packet that are believed: decoders make room for them before they have seen one.
const MOST_FRAMES: u64 = 1 << 20;

impl Codec {
    /// A decoder for a stream. With `verify`, [`Self::is_verified`] compares the sound with the stream's checksum.
    pub(super) fn new(params: &AudioCodecParameters, verify: bool) -> Result<Self, Error> {
        if params.max_frames_per_packet.max(params.frames_per_block).is_some_and(|frames| frames > MOST_FRAMES) {
            return Err(Error::DecodeError("packets of more than a million frames"));
        }
        let options = AudioDecoderOptions::default().verify(verify);
        let decoder = catch_unwind(|| symphonia::default::get_codecs().make_audio_decoder(params, &options))
            .unwrap_or(Err(Error::DecodeError(GAVE_UP)))?;
        Ok(Self { decoder, scratch: Vec::new() })
    }

    /// The codec's short name.
    pub(super) fn name(&self) -> &'static str {
        self.decoder.codec_info().short_name
    }

    /// Decodes one packet that holds `frames` frames by its header, and appends them to `block`, interleaved.
    pub(super) fn decode(&mut self, data: impl Into<Box<[u8]>>, frames: u64, block: &mut Vec<f32>) -> Decoded {
        self.decode_packet(&Packet::new(0, Timestamp::ZERO, Duration::from(frames), data), block)
    }

    /// As [`Self::decode`], for a packet as symphonia's containers give it.
    pub(super) fn decode_packet(&mut self, packet: &Packet, block: &mut Vec<f32>) -> Decoded {
        let (decoder, scratch) = (&mut self.decoder, &mut self.scratch);
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            decoder.decode(packet).map(|audio| {
                let layout = Layout { rate_hz: audio.spec().rate(), channels: audio.spec().channels().count() };
                if block.is_empty() {
                    audio.copy_to_vec_interleaved(block);
                } else {
                    audio.copy_to_vec_interleaved(scratch);
                    block.extend_from_slice(scratch);
                }
                (audio.frames() as u64, layout)
            })
        }));
        match outcome {
            Ok(Ok((frames, layout))) => Decoded::Frames(frames, layout),
            // Decoders are made to go on after a packet that they could not read.
            Ok(Err(Error::DecodeError(_) | Error::IoError(_) | Error::Unsupported(_))) => Decoded::Damaged,
            Ok(Err(e)) => Decoded::Broken(e.to_string()),
            Err(_) => Decoded::Broken(GAVE_UP.into()),
        }
    }

    /// Forgets what was before, for a stream that goes on elsewhere.
    pub(super) fn reset(&mut self) {
        self.decoder.reset();
    }

    /// Whether the sound has the stream's checksum; `None` where there is none.
    pub(super) fn is_verified(&mut self) -> Option<bool> {
        self.decoder.finalize().verify_ok
    }
}
