//! OGG with Vorbis or FLAC in it: streams one after the other, each page with the position that the sound has reached, so
//! that what is missing can be counted and what is padding be cut off.

use std::io::Result;

use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::codecs::audio::well_known::CODEC_ID_VORBIS;

use super::codec::{Codec, Decoded, Layout};
use super::flac::{FrameHeader, StreamInfo};
use super::loss::{Cause, Log};
use super::pages::{Page, Pages};
use super::source::{End, Info, Opened, Refusal, Source, Step};
use super::window::Window;

/// Most bytes of one packet: more than any encoder writes, cover pictures in the comments included.
const MOST_PACKET_BYTES: usize = 1 << 26;
/// Frames that wait for a page's position at most, so that a stream without positions does not fill the memory.
const MOST_WAITING: u64 = 1 << 17;
/// A place where pages are missing or damaged.
const LOST_PAGES: &str = "missing or damaged OGG pages";

/// Opens an OGG whose window begins with its first page.
pub(super) fn open(window: Window) -> std::result::Result<Opened, Refusal> {
    let mut pages = Pages::new(window)?;
    let serial = first_stream(&mut pages)?.0.serial;
    // The end is read once for the length, then everything from the start.
    let last = pages.last_granule(serial)?;
    let (stream, waiting) = first_stream(&mut pages)?;
    let (codec, frames) = match &stream.kind {
        Kind::Vorbis => ("vorbis", None),
        Kind::Flac(info) => ("flac", info.frames),
    };
    let info = Info {
        sample_rate_hz: stream.layout.rate_hz,
        channels: stream.layout.channels,
        declared_frames: frames.or(last),
        format: format!("ogg {codec}"),
    };
    Ok(Opened::new(OggSource { pages, stream, waiting }, info))
}

/// The first stream of sound that can be read, among those that begin together.
fn first_stream(pages: &mut Pages) -> std::result::Result<(Stream, Option<Page>), Refusal> {
    let mut reason = None;
    while let Some(page) = pages.next()? {
        if !page.first {
            // Only if the page that should tell what is in the stream was damaged.
            reason.get_or_insert(Refusal::damaged("its first OGG page is damaged"));
            continue;
        }
        match Stream::begin(pages, page) {
            Ok(found) => return Ok(found),
            Err(other) => _ = reason.insert(other),
        }
    }
    Err(reason.unwrap_or_else(|| Refusal::damaged("it breaks off too early to be read")))
}

enum Kind {
    Vorbis,
    Flac(StreamInfo),
}

/// One logical stream.
struct Stream {
    serial: u32,
    kind: Kind,
    codec: Codec,
    layout: Layout,
    packets: Packets,
    /// Where the last page that told its position left the stream; `None` before the first.
    position: Option<u64>,
    /// Frames decoded since then.
    since: u64,
    /// The delivered frames before which something is missing: how much, the next position tells.
    gap_at: Option<u64>,
    /// Its last page was seen.
    done: bool,
    /// Nothing of it was lost, so that its checksum means something.
    intact: bool,
}

/// Puts packets together from the parts on a stream's pages.
#[derive(Default)]
struct Packets {
    /// The beginning of a packet that goes on.
    begun: Option<Vec<u8>>,
    /// Number of the page that should come next.
    sequence: Option<u32>,
}

impl Packets {
    /// The packets that end on a page, and whether something before them is missing.
    fn take(&mut self, page: Page) -> (Vec<Vec<u8>>, bool) {
        let skipped = self.sequence.is_some_and(|expected| expected != page.sequence);
        self.sequence = Some(page.sequence.wrapping_add(1));
        let begun = self.begun.take();
        let mut lost = skipped || begun.is_some() != page.continued;
        let whole = !lost;
        let (count, mut done) = (page.parts.len(), Vec::new());
        for (at, part) in page.parts.into_iter().enumerate() {
            let part = match (at, page.continued, &begun) {
                (0, true, Some(begun)) if whole && begun.len() + part.len() <= MOST_PACKET_BYTES => {
                    [begun.as_slice(), &part].concat()
                }
                // The end of a packet whose beginning is not there.
                (0, true, _) => {
                    lost = true;
                    continue;
                }
                _ => part,
            };
            if at + 1 == count && !page.complete {
                self.begun = Some(part);
            } else {
                done.push(part);
            }
        }
        (done, lost)
    }
}

impl Stream {
    /// Reads the headers of the stream that begins with `page`. What of the last page is not a header comes back.
    fn begin(pages: &mut Pages, page: Page) -> std::result::Result<(Self, Option<Page>), Refusal> {
        let head = page.parts.first().map_or(&[][..], Vec::as_slice);
        let vorbis = head.starts_with(b"\x01vorbis");
        if !vorbis && !head.starts_with(b"\x7fFLAC") {
            let what = match head {
                _ if head.starts_with(b"OpusHead") => "Opus",
                _ if head.starts_with(b"Speex") => "Speex",
                _ => "OGG without Vorbis or FLAC",
            };
            return Err(Refusal::Unsupported(what.into()));
        }
        let serial = page.serial;
        let (mut packets, mut headers, mut next) = (Packets::default(), Vec::new(), Some(page));
        while let Some(mut page) = next {
            if page.serial == serial {
                // A FLAC frame begins with its mark, a header never does. Vorbis has three headers.
                let audio = |at: usize, part: &[u8], had: usize| {
                    if vorbis { had + at >= 3 } else { part.first() == Some(&0xff) }
                };
                let had = headers.len() + usize::from(page.continued);
                let begins = page.parts.iter().enumerate().position(|(at, part)| {
                    !(page.continued && at == 0) && audio(at - usize::from(page.continued), part, had)
                });
                if let Some(begins) = begins {
                    let rest = page.parts.split_off(begins);
                    let rest = Page { parts: rest, continued: false, ..page.clone_head() };
                    page.complete = true;
                    headers.extend(packets.take(page).0);
                    let (kind, layout, codec) = Self::set_up(vorbis, &headers)?;
                    packets.sequence = Some(rest.sequence);
                    let stream = Self {
                        serial,
                        kind,
                        codec,
                        layout,
                        packets,
                        position: None,
                        since: 0,
                        gap_at: None,
                        done: false,
                        intact: true,
                    };
                    return Ok((stream, Some(rest)));
                }
                headers.extend(packets.take(page).0);
            }
            next = pages.next()?;
        }
        Err(Refusal::damaged("it breaks off before its sound begins"))
    }

    fn set_up(vorbis: bool, headers: &[Vec<u8>]) -> std::result::Result<(Kind, Layout, Codec), Refusal> {
        if !vorbis {
            let info = StreamInfo::parse(headers.first().and_then(|head| head.get(17..)).unwrap_or_default())?;
            return Ok((Kind::Flac(info.clone()), info.layout, info.codec(true)?));
        }
        let [first, _, setup, ..] = headers else { return Err(Refusal::damaged("its Vorbis headers are damaged")) };
        let (Some(&channels), Some(rate)) = (first.get(11), first.get(12..16)) else {
            return Err(Refusal::damaged("its Vorbis header is too short"));
        };
        let rate_hz = rate.iter().rev().fold(0, |sum, &byte| sum << 8 | u32::from(byte));
        let mut params = AudioCodecParameters::new();
        params.for_codec(CODEC_ID_VORBIS).with_extra_data([first.as_slice(), setup].concat().into());
        let codec = Codec::new(&params, false).map_err(|e| Refusal::codec("Vorbis", e))?;
        Ok((Kind::Vorbis, Layout { rate_hz, channels: usize::from(channels) }, codec))
    }

    /// Decodes the packets that end on a page.
    fn decode(&mut self, page: Page, block: &mut Vec<f32>, log: &mut Log) -> std::result::Result<(), String> {
        let channels = self.layout.channels.max(1);
        let (granule, last) = (page.granule, page.last);
        let (packets, lost) = self.packets.take(page);
        let here = |block: &Vec<f32>, log: &Log| log.frames + (block.len() / channels) as u64;
        if lost {
            self.lose(here(block, log));
        }
        let ends_here = !packets.is_empty();
        for packet in packets {
            let frames = match &self.kind {
                Kind::Vorbis => 0,
                Kind::Flac(info) => match FrameHeader::parse(&packet, info) {
                    Some(header) => header.frames,
                    None if packet.first() == Some(&0xff) => {
                        self.lose(here(block, log));
                        continue;
                    }
                    // A header behind the first page's.
                    None => continue,
                },
            };
            if packet.is_empty() {
                continue;
            }
            match self.codec.decode(packet, frames, block) {
                Decoded::Frames(frames, layout) if layout.channels == channels => self.since += frames,
                Decoded::Frames(..) => return Err("its packets differ from its header".into()),
                Decoded::Damaged => self.lose(here(block, log)),
                Decoded::Broken(reason) => return Err(reason),
            }
        }
        self.done |= last;
        if let Some(granule) = granule.filter(|_| ends_here || last) {
            self.place(granule, last, block, log);
        }
        Ok(())
    }

    /// Notes that something is missing behind `at` delivered frames. What comes next does not go on from what was before.
    fn lose(&mut self, at: u64) {
        self.gap_at.get_or_insert(at);
        self.codec.reset();
        self.intact = false;
    }

    /// Compares what was decoded with the position that a page tells.
    fn place(&mut self, granule: u64, last: bool, block: &mut Vec<f32>, log: &mut Log) {
        let channels = self.layout.channels.max(1);
        let reached = self.position.unwrap_or(0).saturating_add(self.since);
        let gap = self.gap_at.take();
        if granule < reached && gap.is_none() {
            let padding = ((reached - granule) as usize).saturating_mul(channels).min(block.len());
            if last {
                block.truncate(block.len() - padding);
            } else if self.position.is_none() {
                block.drain(..padding);
            }
        } else if granule > reached && (self.position.is_some() || gap.is_some()) {
            // Frames in front of the page's own are missing; where nothing hints at it, before all that is not placed yet.
            let at = gap.unwrap_or((log.frames + (block.len() / channels) as u64).saturating_sub(self.since));
            log.lose_at(at, Some(granule - reached), Cause::Damaged { what: LOST_PAGES });
            self.intact = false;
        }
        (self.position, self.since) = (Some(granule), 0);
    }

    fn verify(&mut self, log: &mut Log) {
        if self.intact && self.codec.is_verified() == Some(false) {
            log.lose(0, Some(0), Cause::Checksum);
        }
    }
}

/// The streams of an OGG, one after the other.
struct OggSource {
    pages: Pages,
    stream: Stream,
    /// A page that was read and not decoded yet.
    waiting: Option<Page>,
}

impl OggSource {
    /// Frames in the streams from here on, by their pages' positions.
    fn count_rest(&mut self, serial: u32, begun: Option<u64>) -> Result<Option<u64>> {
        let (mut total, mut stream, mut reached) = (0_u64, serial, begun);
        while let Some(page) = self.pages.next()? {
            if page.first {
                total = total.saturating_add(reached.take().unwrap_or(0));
                stream = page.serial;
            } else if page.serial == stream {
                reached = page.granule.or(reached);
            }
        }
        Ok(Some(total.saturating_add(reached.unwrap_or(0))).filter(|&frames| frames > 0))
    }

    /// Goes on with the stream that begins with `page`. Gives the end if the sound ends here.
    fn chain(&mut self, page: Page, log: &mut Log) -> Result<Option<End>> {
        self.stream.verify(log);
        match Stream::begin(&mut self.pages, page) {
            Ok((next, rest)) => {
                if next.layout != self.stream.layout {
                    let (from, to) = (self.stream.layout.to_string(), next.layout.to_string());
                    let frames = self.count_rest(next.serial, rest.and_then(|page| page.granule))?;
                    log.lose(0, frames, Cause::OtherLayout { from, to });
                    return Ok(Some(End::Complete));
                }
                (self.stream, self.waiting) = (next, rest);
            }
            Err(Refusal::Io(e)) => return Err(e),
            // Pictures and texts have streams too.
            Err(Refusal::Unsupported(_) | Refusal::NotAudio(_)) => {}
            Err(Refusal::Damaged(_)) => log.lose(0, None, Cause::Damaged { what: "a damaged stream in an OGG" }),
        }
        Ok(None)
    }

    fn finish(&mut self, block: &[f32], log: &mut Log) -> End {
        if let Some(at) = self.stream.gap_at.take() {
            // No position came any more, so the file's length says how much is missing, if anything does.
            if at == log.frames + (block.len() / self.stream.layout.channels.max(1)) as u64 {
                return End::OutOfBytes;
            }
            log.lose_at(at, None, Cause::Damaged { what: LOST_PAGES });
        }
        if self.pages.cut || !self.stream.done {
            return End::OutOfBytes;
        }
        self.stream.verify(log);
        End::Complete
    }
}

impl Source for OggSource {
    fn next(&mut self, block: &mut Vec<f32>, log: &mut Log) -> Result<Step> {
        loop {
            let page = match self.waiting.take() {
                Some(page) => Some(page),
                None => self.pages.next()?,
            };
            let Some(page) = page else { return Ok(Step::End(self.finish(block, log))) };
            if page.first {
                if !block.is_empty() {
                    self.waiting = Some(page);
                    return Ok(Step::Frames);
                }
                // Streams that begin together run beside each other; a later beginning is another piece.
                let begun = self.stream.done || self.stream.position.is_some();
                if begun && let Some(end) = self.chain(page, log)? {
                    return Ok(Step::End(end));
                }
                continue;
            }
            if page.serial != self.stream.serial {
                continue;
            }
            if let Err(reason) = self.stream.decode(page, block, log) {
                return Ok(Step::End(End::Broken(reason)));
            }
            if !block.is_empty() && (self.stream.since == 0 || self.stream.since > MOST_WAITING) {
                return Ok(Step::Frames);
            }
        }
    }
}
