//! An evaluation as one page: tables, curves, and sounds if they are wanted.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::drift::Drift;
use super::figures::SoundFigures;
use super::results::{CorpusResult, Evaluation, Listen, ModelResult};
use super::table::{Figure, rows};
use super::terminal::warnings;
use super::{corpus, frechet};
use crate::report::{Axis, Cell, Lines, Page, Part, Series};

/// The page. `listen` puts sounds into it, some hundred kilobytes each.
pub fn page(evaluation: &Evaluation, listen: bool) -> String {
    let names: Vec<&str> = evaluation.models.iter().map(|model| model.name.as_str()).collect();
    let mut page = Page::new(&format!("Evaluation of {}", names.join(", ")));
    let settings = &evaluation.settings;
    page.paragraph(&format!(
        "Dataset {} (fingerprint {}), held against its held-out recordings. Each clip of {:.2} s was continued for {} s in {} \
         take(s), at temperature {} from {} codes, rng seed {}, precision {}; trainer {}.",
        evaluation.dataset,
        evaluation.dataset_fingerprint.get(..12).unwrap_or(&evaluation.dataset_fingerprint),
        settings.seed_seconds,
        settings.seconds,
        settings.takes,
        settings.temperature,
        if settings.top_k == 0 { "all".to_owned() } else { format!("the {} likeliest", settings.top_k) },
        settings.rng_seed,
        settings.precision,
        evaluation.trainer_version,
    ));
    models(&mut page, evaluation);
    for corpus in &evaluation.corpus {
        let models: Vec<&ModelResult> =
            evaluation.models.iter().filter(|model| model.rate_hz == corpus.rate_hz).collect();
        of_rate(&mut page, evaluation, corpus, &models);
        if listen {
            sounds(&mut page, corpus.rate_hz, &models);
        }
    }
    page.finish()
}

fn models(page: &mut Page, evaluation: &Evaluation) {
    let row = |model: &ModelResult| {
        vec![
            Cell::text(&model.name),
            Cell::text(&model.kind),
            Cell::text(format!("{} Hz, {}", model.rate_hz, model.signal)),
            Cell::number(model.weights.to_string()),
            Cell::number(model.steps.to_string()),
            Cell::text(&model.backend),
            Cell::text(&model.path),
        ]
    };
    let rows: Vec<Vec<Cell>> = evaluation.models.iter().map(row).collect();
    page.heading("Models")
        .table(&["model", "family", "audio", "weights", "steps", "computed by", "run or package"], &rows);
}

fn of_rate(page: &mut Page, evaluation: &Evaluation, corpus: &CorpusResult, models: &[&ModelResult]) {
    page.heading(&format!("Figures at {} Hz", corpus.rate_hz));
    page.paragraph(&format!(
        "{} clips of {} held-out recordings, the same for all models. ± is one standard error over clips. The best of a row is \
         green: the smallest error, or the figure that is nearest to the held-out audio's.",
        corpus.clips.len(),
        corpus::recordings(corpus),
    ));
    let mut headings = vec!["", "held-out audio"];
    headings.extend(models.iter().map(|model| model.name.as_str()));
    let cell = |figure: &Figure| match figure {
        Figure { best: true, text, .. } => Cell::Marked("good", text.clone()),
        Figure { is_reason: true, text, .. } => Cell::Marked("dim", text.clone()),
        Figure { text, .. } => Cell::number(text),
    };
    let table: Vec<Vec<Cell>> = rows(corpus, models)
        .iter()
        .map(|row| {
            let own = [Cell::text(&row.measure), Cell::number(&row.corpus)];
            own.into_iter().chain(row.models.iter().map(cell)).collect()
        })
        .collect();
    page.table(&headings, &table);
    for warning in warnings(evaluation, models) {
        page.marked("warn", "Mind", &warning);
    }
    squared_error(page, corpus, models);
    distances(page, evaluation, corpus, models);
    spectrum(page, corpus, models);
    drift(page, corpus, models);
    memory(page, corpus, models);
    page.heading("What was measured").paragraph(&how(evaluation, corpus));
    let rows: Vec<Vec<Cell>> = corpus
        .clips
        .iter()
        .map(|clip| vec![Cell::text(&clip.recording), Cell::number(format!("{:.2} s", clip.start_seconds))])
        .collect();
    page.table(&["held-out recording", "continued from"], &rows);
}

fn squared_error(page: &mut Page, corpus: &CorpusResult, models: &[&ModelResult]) {
    let curve = |name: &str, points: &[(f64, f64)], dashed| {
        let points = points.iter().map(|&(seconds, error)| (1_000.0 * seconds, error)).collect();
        Series { name: name.to_owned(), points, dashed }
    };
    let known = models.iter().filter_map(|model| Some((model, model.squared_error.value()?)));
    let mut series: Vec<Series> = known.map(|(model, found)| curve(&model.name, &found.curve, false)).collect();
    if series.is_empty() {
        return;
    }
    if let Some(again) = &corpus.squared_error.again {
        series.push(curve("the clip's last second again", &again.curve, true));
        let silence: Vec<(f64, f64)> = again.curve.iter().map(|&(seconds, _)| (seconds, 1.0)).collect();
        series.push(curve("silence", &silence, true));
    }
    let plot = Lines {
        x: Axis::log("milliseconds after the clip"),
        y: Axis::new("squared error over energy, up to there"),
        series,
        ..Lines::default()
    };
    page.heading("Squared error after a held-out clip").figure(
        &plot.svg(),
        "Kresge & Ratzlaff's measure as it grows: 0 is the recording itself, 1 is silence, 2 is other music of the same energy. \
         A model keeps below 1 for as long as what it has heard decides what comes.",
    );
}

fn distances(page: &mut Page, evaluation: &Evaluation, corpus: &CorpusResult, models: &[&ModelResult]) {
    let bar = |name: &str, value: f64| crate::report::Row {
        name: name.to_owned(),
        parts: vec![Part { name: "distance".into(), value, text: format!("{value:.2}") }],
    };
    let mut bars = vec![bar("held-out audio", corpus.frechet.heldout.mean)];
    bars.extend(models.iter().filter_map(|model| Some(bar(&model.name, model.frechet.value()?.mean))));
    let known = &corpus.frechet;
    let few = if known.windows < frechet::FEWEST_WINDOWS {
        " There are fewer windows than the embedding has numbers, so the distances are much too large; give more clips."
    } else {
        ""
    };
    page.heading("Fréchet audio distance").figure(
        &crate::report::bars("Fréchet audio distance from the training audio", &bars),
        &format!(
            "From {} windows of training audio, over {} windows of each set. Embedding: {}. Held-out audio ({:.2}) is the floor; \
             white noise of its level is {:.1} away, silence {:.1}.{few}",
            known.training_windows, known.windows, evaluation.embedding, known.heldout.mean, known.noise, known.silence
        ),
    );
}

fn spectrum(page: &mut Page, corpus: &CorpusResult, models: &[&ModelResult]) {
    let series = |name: &str, spectrum: &[f64], dashed| {
        let points = spectrum.iter().enumerate().map(|(band, &db)| ((band + 1) as f64, db)).collect();
        Series { name: name.to_owned(), points, dashed }
    };
    // Models first, so that each has one colour in all plots.
    let mut all: Vec<Series> = models.iter().map(|model| series(&model.name, &model.spectrum_db, false)).collect();
    all.push(series("held-out audio", &corpus.spectrum_db, true));
    let plot = Lines { x: Axis::new("mel band"), y: Axis::new("mean level, dB"), series: all, ..Lines::default() };
    page.heading("Mean spectrum").figure(
        &plot.svg(),
        "Mean of the logarithmic power of each of the embedding's 32 mel bands, from 40 Hz to 8 kHz (or half the rate). Dashed: \
         the recordings.",
    );
}

fn drift(page: &mut Page, corpus: &CorpusResult, models: &[&ModelResult]) {
    let known: Vec<(&str, &Drift)> =
        models.iter().filter_map(|model| Some((model.name.as_str(), model.drift.value()?))).collect();
    if known.is_empty() {
        return;
    }
    page.heading("Drift over a long continuation");
    page.paragraph(
        "One long continuation, ten seconds at a time, the mean over its takes. Dashed: the recording that it sets out from, as it \
         really goes on.",
    );
    let figures: [(&str, Of); 4] = [
        ("level, dBFS", |figures| figures.level_db),
        ("centroid, Hz", |figures| figures.centroid_hz),
        ("onsets per second", |figures| figures.onsets_per_second),
        ("noise floor, dB", |figures| figures.noise_floor_db.unwrap_or(f64::NAN)),
    ];
    for (label, figure) in figures {
        let series = |name: &str, drift: &Drift, dashed| {
            let stretches = drift.takes.iter().map(Vec::len).min().unwrap_or(0);
            let mean =
                |at: usize| drift.takes.iter().map(|take| figure(&take[at])).sum::<f64>() / drift.takes.len() as f64;
            let points = (0..stretches).map(|at| (drift.stretch_seconds * (at as f64 + 0.5), mean(at))).collect();
            Series { name: name.to_owned(), points, dashed }
        };
        let mut all: Vec<Series> = known.iter().map(|(name, drift)| series(name, drift, false)).collect();
        all.extend(corpus.drift.as_ref().map(|drift| series("the recording", drift, true)));
        let plot = Lines { x: Axis::new("seconds"), y: Axis::new(label), series: all, ..Lines::default() };
        page.figure(&plot.svg(), label);
    }
}

fn memory(page: &mut Page, corpus: &CorpusResult, models: &[&ModelResult]) {
    let Some(chance) = &corpus.memory else { return };
    let curve = |name: &str, memory: &super::memory::Memory, dashed| {
        let count = memory.found.len() as f64;
        let points = memory.found.iter().enumerate().map(|(at, found)| ((at as f64 + 0.5) / count, found.waveform));
        Series { name: name.to_owned(), points: points.collect(), dashed }
    };
    let known = models.iter().filter_map(|model| Some((model, model.memory.value()?)));
    let mut all: Vec<Series> = known.clone().map(|(model, memory)| curve(&model.name, memory, false)).collect();
    all.push(curve("held-out audio (chance)", chance, true));
    let plot = Lines {
        x: Axis::new("share of the seconds that were looked for, the likest first").within(0.0, 1.0),
        y: Axis::new("correlation with the nearest training audio").within(0.0, 1.0),
        series: all,
        ..Lines::default()
    };
    let searched = corpus.searched;
    page.heading("Memory").figure(
        &plot.svg(),
        &format!(
            "Each of {} seconds of sound was looked for in {} of {} training recordings ({:.1} h): by mel spectra first (16 bands \
             every 32 ms), then by the waveform at the three likest places. A copy has 1; what held-out audio finds is chance.",
            chance.windows, searched.recordings, searched.of, searched.hours
        ),
    );
    let row = |name: &str, found: &super::memory::Found| {
        vec![
            Cell::text(name),
            Cell::number(format!("{:.3}", found.waveform)),
            Cell::number(format!("{:.3}", found.mel)),
            Cell::text(&found.recording),
            Cell::number(format!("{:.2} s", found.seconds)),
        ]
    };
    let likest = known.flat_map(|(model, memory)| memory.found.iter().take(3).map(|found| row(&model.name, found)));
    let chance = chance.found.iter().take(3).map(|found| row("held-out audio", found));
    let rows: Vec<Vec<Cell>> = likest.chain(chance).collect();
    page.table(&["likest finds of", "waveform", "mel", "training recording", "at"], &rows);
}

/// One figure of a sound.
type Of = fn(&SoundFigures) -> f64;

/// How each figure comes about.
fn how(evaluation: &Evaluation, corpus: &CorpusResult) -> String {
    let settings = &evaluation.settings;
    format!(
        "NLL: {} chunks of {} frames spread over the held-out recordings; every model hears its own receptive field before them; \
         the error is over groups of four chunks. Squared error: over the first second after each clip; full scale is 1. Next frame \
         alone: the likeliest value at frames of that second, all before them being real. Level: root mean square. Centroid: \
         weighted by power. Onsets: peaks of the spectral flux (Dixon 2006). Noise floor: median of the spectrum from 1 to 8 kHz \
         without the peaks that stand 10 dB out. Pops: single frames that stand out twelvefold. Silence: 40 dB under the recordings; \
         noise: a flatness over 0.35 where theirs is not half of that. Errors of Fréchet distances are jackknifed over clips; a \
         model's is the mean over takes, so that each has as many windows as the held-out audio.",
        corpus.chunks.len(),
        settings.chunk_frames,
    )
}

fn sounds(page: &mut Page, rate_hz: u32, models: &[&ModelResult]) {
    page.heading("Sounds");
    for Listen { caption, sound } in models.iter().flat_map(|model| &model.sounds) {
        page.sound(&STANDARD.encode(wav(sound, rate_hz)), caption);
    }
}

/// A WAV of one channel, 16 bits.
fn wav(sound: &[f32], rate_hz: u32) -> Vec<u8> {
    let bytes = 2 * sound.len() as u32;
    let mut wav = Vec::with_capacity(44 + bytes as usize);
    wav.extend(b"RIFF");
    wav.extend((36 + bytes).to_le_bytes());
    wav.extend(b"WAVEfmt ");
    wav.extend(16_u32.to_le_bytes());
    for field in [1_u16, 1] {
        wav.extend(field.to_le_bytes());
    }
    wav.extend(rate_hz.to_le_bytes());
    wav.extend((2 * rate_hz).to_le_bytes());
    for field in [2_u16, 16] {
        wav.extend(field.to_le_bytes());
    }
    wav.extend(b"data");
    wav.extend(bytes.to_le_bytes());
    for value in sound {
        wav.extend(((value.clamp(-1.0, 1.0) * 32_767.0).round() as i16).to_le_bytes());
    }
    wav
}
