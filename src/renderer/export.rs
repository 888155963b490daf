//! Writing variations to files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use continuo_engine::audio::{Annotations, AudioError, Beat, Clip, FlacBits, WavFormat, WavSink, write_flac};

use super::errands::errand;
use super::error::RenderError;
use super::shared::Shared;
use crate::files::plain_name;
use crate::session::{Concern, ExportFormat, ExportOptions, Session, lock};
use crate::take::bench::lay_out;
use crate::take::level::{Matcher, words};
use crate::take::shelf::Kept;
use crate::take::store::Store;
use crate::take::{Recipe, Take};

/// Rate of an exported take while no host has named one.
const EXPORT_RATE_HZ: u32 = 48_000;

/// What one file holds.
pub(super) struct Piece {
    title: String,
    take: Arc<Take>,
    variation: usize,
}

/// How files are written, read from the session at one moment.
pub(super) struct Manner {
    options: ExportOptions,
    host_rate_hz: Option<u32>,
    /// Where the take is pinned, in seconds from the song's beginning.
    pin_seconds: f64,
    /// Whether continuations are brought to their clip's level.
    level_match: bool,
    /// The song's tempo, once a host has named one.
    beat: Option<Beat>,
}

/// Writes the variation that plays now. A file that is there is replaced only if the user has said so.
pub(super) fn one(
    shared: &Arc<Shared>,
    session: &Arc<Session>,
    path: PathBuf,
    replace: bool,
) -> Result<(), RenderError> {
    session.post(|snapshot| snapshot.overwrite = None);
    let variation = session.params().map_or(0, |params| params.variation());
    let piece = Piece::chosen(session, variation)?;
    let manner = Manner::of(session);
    let shared = Arc::clone(shared);
    errand(session, "continuo-export", move |session| {
        // One at a time: of two to one file, the second has to ask.
        let _one = lock(&shared.exporting);
        if !replace && path.exists() {
            session.post(|snapshot| snapshot.overwrite = Some(path.into()));
            return Ok(());
        }
        write(&piece, &manner, &path)?;
        session.settle(Concern::Export);
        session.tell_of_file(&format!("Exported to {}.", path.display()), &path);
        Ok(())
    })
}

/// Writes every variation with a star to a file of its own in a folder, under names that are not there yet.
pub(super) fn starred(shared: &Arc<Shared>, session: &Arc<Session>, folder: PathBuf) -> Result<(), RenderError> {
    let kept: Vec<Kept> =
        lock(&session.bench).shelf.takes().iter().filter(|kept| kept.label.stars != 0).cloned().collect();
    if kept.is_empty() {
        return Err(RenderError::NoStars);
    }
    let manner = Manner::of(session);
    let shared = Arc::clone(shared);
    errand(session, "continuo-export", move |session| {
        let _one = lock(&shared.exporting);
        let mut written = 0;
        for Kept { label, packed, take, .. } in kept {
            let take = match take {
                Some(take) => take,
                None => Arc::new(packed.unpack(Store::of_user().as_ref()).map_err(RenderError::Unpacked)?),
            };
            for variation in (0..take.variations.len()).filter(|variation| label.has_star(*variation)) {
                let piece = Piece { title: label.title(), take: Arc::clone(&take), variation };
                write(&piece, &manner, &free_name(&folder, &piece.name(), manner.options.format))?;
                written += 1;
            }
        }
        session.settle(Concern::Export);
        let files = if written == 1 { "1 file".to_owned() } else { format!("{written} files") };
        session.tell_of_file(&format!("Exported {files} to {}.", folder.display()), &folder);
        Ok(())
    })
}

impl Manner {
    /// What the file is.
    pub(super) fn format(&self) -> ExportFormat {
        self.options.format
    }

    /// As the session has it now.
    pub(super) fn of(session: &Session) -> Self {
        let meter = session.link.meter();
        let bars = session.params().map_or(0.0, |params| params.pin_bars());
        let level_match = session.params().is_some_and(|params| params.level_match());
        Self {
            options: session.snapshot().export,
            host_rate_hz: session.link.host_rate_hz(),
            level_match,
            pin_seconds: bars.max(0.0) * meter.beats_per_bar * 60.0 / meter.tempo,
            beat: session
                .link
                .meter_is_known()
                .then_some(Beat { tempo: meter.tempo, beats_per_bar: meter.beats_per_bar }),
        }
    }
}

impl Piece {
    /// A variation of the chosen take; the last one there is, for a larger one.
    pub(super) fn chosen(session: &Session, variation: usize) -> Result<Self, RenderError> {
        let bench = lock(&session.bench);
        let kept = bench.shelf.chosen().ok_or(RenderError::NothingToExport)?;
        Ok(Self {
            title: kept.label.title(),
            take: kept.take.clone().ok_or(RenderError::NothingToExport)?,
            variation: variation.min(kept.packed.variations.len().saturating_sub(1)),
        })
    }

    pub(super) fn name(&self) -> String {
        format!("{}, variation {}", self.title, self.variation + 1)
    }
}

/// A name in the folder that no file has: numbered where the plain one is taken.
pub(super) fn free_name(folder: &Path, name: &str, format: ExportFormat) -> PathBuf {
    let (plain, ending) = (plain_name(name), format.ending());
    let numbered = (2..).map(|number| format!("{plain} ({number}).{ending}"));
    let mut names = std::iter::once(format!("{plain}.{ending}")).chain(numbered).map(|name| folder.join(name));
    names.find(|path| !path.exists()).unwrap_or_default()
}

/// Writes a variation: with or without the seed clip, at the host's or at the model's rate, as WAV or FLAC.
pub(super) fn write(piece: &Piece, manner: &Manner, path: &Path) -> Result<(), RenderError> {
    let Piece { take, variation, .. } = piece;
    let recipe = &take.recipe;
    let rate_hz = match manner.host_rate_hz {
        _ if manner.options.model_rate => recipe.model_rate_hz,
        host => host.unwrap_or(EXPORT_RATE_HZ),
    };
    let play = lay_out(take, rate_hz)?;
    let seed_frames = if manner.options.with_seed { play.seed_frames() } else { 0 };
    let frames = (seed_frames + play.frames()) as i64;
    let [left, right] = play
        .frames_between(*variation, (manner.options.with_seed, manner.level_match), 0, frames)
        .ok_or(RenderError::NothingToExport)?;
    let clip = Clip { sample_rate_hz: rate_hz, channels: vec![left, right] };
    let annotations = Annotations {
        title: piece.name(),
        comment: format!(
            "{}{} · model {} (SHA-256 {})",
            recipe.describe(),
            level(piece, manner),
            recipe.model_file,
            recipe.model_sha256
        ),
        copyright: licence(recipe),
        software: format!("Continuo {}", env!("CARGO_PKG_VERSION")),
        first_frame: Some((manner.pin_seconds * f64::from(rate_hz)).round() as u64),
        beat: manner.beat,
    };
    let written = match manner.options.format {
        ExportFormat::Wav24 => write_clip(path, &clip, &annotations),
        ExportFormat::Flac24 => write_flac(path, &clip, FlacBits::B24, &annotations),
        ExportFormat::Flac16 => write_flac(path, &clip, FlacBits::B16, &annotations),
    };
    written.map_err(RenderError::Export)
}

/// What is known of the rights: the licence of the model. Takes that were rendered before that was kept say nothing.
fn licence(recipe: &Recipe) -> String {
    if recipe.model_licence.is_empty() {
        return String::new();
    }
    format!("Made with the model {}, whose licence is {}", recipe.model_name, recipe.model_licence)
}

/// What was done to the continuation's level, for people.
fn level(Piece { take, variation, .. }: &Piece, manner: &Manner) -> String {
    let continuation = take.variations.get(*variation).filter(|_| manner.level_match);
    let (Some(seed), Some(continuation)) = (take.seed.as_deref(), continuation) else { return String::new() };
    let matcher = Matcher::new(Some(seed), take.recipe.model_rate_hz);
    format!(" · level matched to the clip {}", words(matcher.decibels(&continuation.channels)))
}

fn write_clip(path: &Path, clip: &Clip, annotations: &Annotations) -> Result<(), AudioError> {
    let mut sink = WavSink::create(path, clip.sample_rate_hz, clip.channels.len(), WavFormat::I24)?;
    let channels: Vec<&[f32]> = clip.channels.iter().map(Vec::as_slice).collect();
    sink.push(&channels)?;
    sink.finish_with(annotations)
}

#[cfg(test)]
mod tests {
    use continuo_engine::audio::import;

    use super::*;
    use crate::renderer::Renderer;
    use crate::renderer::soon::soon;
    use crate::session::Command;
    use crate::take::shelf::tests::kept;

    #[test]
    fn every_variation_with_a_star_goes_to_a_file_of_its_own_and_none_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let renderer = Renderer::acquire();
        let session = Session::new();
        renderer.register(&session);
        let export = || session.send(Command::ExportStarred(folder.path().to_path_buf()));
        export();
        soon("an error", || session.snapshot().error.is_some_and(|error| error.contains("star")));
        for number in 1..=3 {
            lock(&session.bench).shelf.add(kept(number), true);
        }
        let ids: Vec<_> = lock(&session.bench).shelf.takes().iter().map(|kept| kept.id).collect();
        session.star(ids[0], 0, true);
        session.star(ids[2], 0, true);
        session.star(ids[2], 1, true);
        session.rename_take(ids[2], "Bridge/A");
        session.send(Command::SetExport(ExportOptions {
            with_seed: false,
            model_rate: true,
            ..ExportOptions::default()
        }));
        export();
        let names = || {
            let mut names: Vec<String> = std::fs::read_dir(folder.path())
                .unwrap()
                .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
                .filter(|name| Path::new(name).extension().is_some_and(|ending| ending == "wav"))
                .collect();
            names.sort();
            names
        };
        let first = ["Bridge_A, variation 1.wav", "Bridge_A, variation 2.wav", "Take 1, variation 1.wav"];
        soon("the files", || names() == first);
        soon("the notice", || session.snapshot().notice.is_some_and(|words| words.contains("3 files")));
        let take = crate::take::pack::tests::take();
        let written = import(&folder.path().join(first[1]), 60.0).unwrap().clip;
        assert_eq!(
            (written.sample_rate_hz, written.frames()),
            (take.recipe.model_rate_hz, take.variations[1].frames())
        );
        let loudest = |clip: &Clip| clip.channels[0].iter().fold(0.0_f32, |most, x| most.max(x.abs()));
        assert!((loudest(&written) - loudest(&take.variations[1])).abs() < 1e-6);
        export();
        soon("more files", || names().len() == 6);
        assert!(names().contains(&"Take 1, variation 1 (2).wav".to_owned()));
        renderer.unregister(&session);
    }

    #[test]
    fn each_form_holds_the_same_frames_and_says_where_they_come_from() {
        let folder = tempfile::tempdir().unwrap();
        let session = Session::new();
        let mut kept = kept(1);
        let mut take = (**kept.take.as_ref().unwrap()).clone();
        take.recipe.model_licence = "CC-BY-4.0".to_owned();
        kept.take = Some(Arc::new(take));
        lock(&session.bench).shelf.add(kept, true);
        let written = |format: ExportFormat| {
            session.post(|snapshot| snapshot.export = ExportOptions { format, ..ExportOptions::default() });
            let (piece, manner) = (Piece::chosen(&session, 1).unwrap(), Manner::of(&session));
            let path = free_name(folder.path(), &piece.name(), format);
            write(&piece, &manner, &path).unwrap();
            let says = |text: &str| std::fs::read(&path).unwrap().windows(text.len()).any(|it| it == text.as_bytes());
            assert!(says("whose licence is CC-BY-4.0") && says("RNG seed"), "{format:?}");
            let read = import(&path, 60.0).unwrap();
            assert!(read.losses.is_empty());
            (path, read.clip)
        };
        // No host has named a tempo.
        let (wav, frames) = written(ExportFormat::Wav24);
        let has_acid = |path: &Path| std::fs::read(path).unwrap().windows(4).any(|it| it == b"acid");
        assert!(!has_acid(&wav));
        session.link.know_meter();
        let (wav, _) = written(ExportFormat::Wav24);
        assert!(has_acid(&wav));
        let (flac, same) = written(ExportFormat::Flac24);
        assert_eq!(flac.extension().unwrap(), "flac");
        assert!(frames == same, "not a frame is another");
        let (_, coarse) = written(ExportFormat::Flac16);
        let worst = frames.channels.iter().flatten().zip(coarse.channels.iter().flatten());
        let worst = worst.fold(0.0_f32, |worst, (a, b)| worst.max((a - b).abs()));
        assert!(worst > 0.0 && worst <= 1.0 / 65_536.0 + 1e-7, "{worst}");
    }
}
