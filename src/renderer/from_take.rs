//! A take as the next seed clip: what a render goes on from, or branches off from.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use continuo_engine::audio::{Clip, WavFormat, write_wav};
use continuo_engine::hash::sha256_hex;

use super::errands::errand;
use super::error::RenderError;
use super::shared::Shared;
use crate::files::plain_name;
use crate::resources;
use crate::session::{Chosen, Deed, Session, lock};
use crate::settings::{Mode, SeedSource, Settings};
use crate::take::bench::lay_out;
use crate::take::{MAX_SEED_SECONDS, Take};

/// Writes the chosen take's variation up to a place in it to a file of its own, and chooses that as the seed clip; with
/// `settings`, renders on from there at once.
pub(super) fn seed_from_take(
    shared: &Arc<Shared>,
    session: &Arc<Session>,
    variation: usize,
    until_seconds: Option<f64>,
    settings: Option<Settings>,
) -> Result<(), RenderError> {
    let (title, take) = {
        let bench = lock(&session.bench);
        let kept = bench.shelf.chosen().ok_or(RenderError::NothingToExport)?;
        (kept.label.title(), kept.take.clone().ok_or(RenderError::NothingToExport)?)
    };
    let folder = resources::user_data_dir().ok_or(RenderError::NoDataFolder)?.join("seeds");
    if settings.is_some() {
        // Counted now, so that an offline host has something to wait for from here on.
        session.link.begin_request();
    }
    // As it is heard, so that what goes on from it goes on from that.
    let matched = session.params().is_some_and(|params| params.level_match());
    let (shared, session) = (Arc::clone(shared), Arc::clone(session));
    let whole = Arc::clone(&session);
    let begun = errand(&session, "continuo-seed", move |_| {
        let before = whole.document();
        let made = clip(&take, variation, matched, until_seconds)
            .ok_or(RenderError::NothingToExport)
            .and_then(|clip| write(&clip, &folder, &format!("{title}, variation {}", variation + 1)));
        match made {
            Ok(path) => {
                let choice = whole.choose(Chosen::Seed, path);
                whole.accept(Chosen::Seed, &choice);
                whole.note_since(Deed::ChooseSeed, before);
                whole.touch();
                if let Some(settings) = settings {
                    let settings = Settings { mode: Mode::Continue, seed_source: SeedSource::Clip, ..settings };
                    shared.submit(&whole, settings);
                }
                Ok(())
            }
            Err(error) => {
                if settings.is_some() {
                    whole.link.end_request();
                }
                Err(error)
            }
        }
    });
    if begun.is_err() && settings.is_some() {
        session.link.end_request();
    }
    begun
}

/// A variation at the model's rate up to a place in it, as much of it as a seed clip may be long.
fn clip(take: &Take, variation: usize, matched: bool, until_seconds: Option<f64>) -> Option<Clip> {
    let rate_hz = take.recipe.model_rate_hz;
    let play = lay_out(take, rate_hz).ok()?;
    let frames = (play.seed_frames() + play.frames()) as i64;
    let end = until_seconds.map_or(frames, |seconds| (seconds * f64::from(rate_hz)).round() as i64).clamp(0, frames);
    let begin = (end - (MAX_SEED_SECONDS * f64::from(rate_hz)) as i64).max(0);
    let [left, right] = play.frames_between(variation, (true, matched), begin, end)?;
    let channels = if left == right { vec![left] } else { vec![left, right] };
    (end > begin).then_some(Clip { sample_rate_hz: rate_hz, channels })
}

/// Writes a clip under a name that tells what it is and what is in it: two that differ never share a file.
fn write(clip: &Clip, folder: &Path, title: &str) -> Result<PathBuf, RenderError> {
    let failed = |path: &Path, error: &std::io::Error| RenderError::SeedNotWritten {
        path: path.into(),
        reason: error.to_string(),
    };
    fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
    let bytes: Vec<u8> = clip.channels.iter().flatten().flat_map(|value| value.to_le_bytes()).collect();
    let path = folder.join(format!("{} {}.wav", plain_name(title), &sha256_hex(&bytes)[..8]));
    write_wav(&path, clip, WavFormat::F32).map_err(RenderError::Export)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use continuo_engine::audio::import;

    use super::*;
    use crate::take::pack::tests::{stereo_take, take};

    #[test]
    fn a_take_up_to_a_place_is_a_clip_that_ends_there() {
        let folder = tempfile::tempdir().unwrap();
        for take in [take(), stereo_take()] {
            let rate_hz = take.recipe.model_rate_hz;
            let whole = clip(&take, 1, false, None).unwrap();
            assert_eq!(whole.sample_rate_hz, rate_hz);
            let continuation = take.variations[1].channels[0].len();
            let seed = whole.frames() - continuation;
            // The continuation is as it was generated, to the bit.
            assert_eq!(whole.channels[0][seed..], take.variations[1].channels[0]);
            let until = (seed + 700) as f64 / f64::from(rate_hz);
            let part = clip(&take, 1, false, Some(until)).unwrap();
            assert_eq!(part.frames(), seed + 700);
            assert_eq!(part.channels[0], whole.channels[0][..seed + 700]);
            assert!(clip(&take, 1, false, Some(0.0)).is_none());

            let path = write(&part, folder.path(), "Bridge/2").unwrap();
            assert!(path.file_name().unwrap().to_string_lossy().starts_with("Bridge_2 "));
            assert_eq!(import(&path, MAX_SEED_SECONDS).unwrap().clip, part);
        }
    }
}
