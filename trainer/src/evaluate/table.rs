//! The figures of models side by side, as rows for a page and for a terminal.

use super::measured::Measured;
use super::results::{CorpusResult, ModelResult, SoundMeans};
use super::statistics::Mean;

/// What a figure should be.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Wish {
    /// As small as can be.
    Small,
    /// As near to this as can be.
    Near(f64),
    /// Nothing: it is to be read.
    Nothing,
}

/// A cell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Figure {
    /// What stands in it.
    pub text: String,
    /// Whether it is the best of its row.
    pub best: bool,
    /// Whether it is a reason in place of a figure.
    pub is_reason: bool,
}

/// A row: one measure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What is measured, with its unit.
    pub measure: String,
    /// Of the recordings.
    pub corpus: String,
    /// Of each model.
    pub models: Vec<Figure>,
}

/// The rows for models of one rate.
pub fn rows(corpus: &CorpusResult, models: &[&ModelResult]) -> Vec<Row> {
    let mut rows = Vec::new();
    likelihoods(&mut rows, models);
    squared_errors(&mut rows, corpus, models);
    sounds(&mut rows, corpus, models);
    let heldout = format!("{} (noise {:.1})", mean(&corpus.frechet.heldout, 2), corpus.frechet.noise);
    let distances = each(models, |model| &model.frechet, |distance| (mean(distance, 2), distance.mean));
    rows.push(row("Fréchet audio distance from the training audio", heldout, distances, Wish::Small));
    drifts(&mut rows, corpus, models);
    memories(&mut rows, corpus, models);
    rows
}

/// Text and figure of each model, or why there is none.
type Cells = Vec<Result<(String, f64), String>>;

fn each<'a, T: 'a>(
    models: &[&'a ModelResult],
    of: impl Fn(&'a ModelResult) -> &'a Measured<T>,
    figure: impl Fn(&T) -> (String, f64),
) -> Cells {
    let cell = |model: &&'a ModelResult| match of(model) {
        Measured::Value(value) => Ok(figure(value)),
        Measured::NotApplicable(reason) => Err(reason.clone()),
    };
    models.iter().map(cell).collect()
}

fn row(measure: &str, corpus: String, cells: Cells, wish: Wish) -> Row {
    let badness = |figure: f64| match wish {
        Wish::Small => Some(figure),
        Wish::Near(wanted) => Some((figure - wanted).abs()),
        Wish::Nothing => None,
    };
    let all: Vec<Option<f64>> =
        cells.iter().map(|cell| badness(cell.as_ref().ok()?.1).filter(|x| x.is_finite())).collect();
    let best = all.iter().flatten().copied().min_by(f64::total_cmp);
    // Where all are as good as each other, none is best.
    let rivals = all.iter().flatten().any(|badness| best.is_some_and(|best| *badness > best));
    let models = cells.into_iter().zip(&all).map(|(cell, badness)| match cell {
        Ok((text, _)) => {
            let best = rivals && badness.is_some_and(|badness| best.is_some_and(|best| badness <= best));
            Figure { text, best, is_reason: false }
        }
        Err(reason) => Figure { text: format!("not applicable: {reason}"), best: false, is_reason: true },
    });
    Row { measure: measure.to_owned(), corpus, models: models.collect() }
}

/// A mean with what it is worth.
pub fn mean(mean: &Mean, digits: usize) -> String {
    match mean.standard_error {
        Some(error) => format!("{:.digits$} ± {error:.digits$}", mean.mean),
        None => format!("{:.digits$}", mean.mean),
    }
}

fn likelihoods(rows: &mut Vec<Row>, models: &[&ModelResult]) {
    // Bits of one quantiser say nothing about those of another: each has rows of its own.
    let mut quantisers: Vec<&str> = Vec::new();
    for model in models {
        if let Some(likelihood) = model.likelihood.value()
            && !quantisers.contains(&likelihood.quantiser.as_str())
        {
            quantisers.push(&likelihood.quantiser);
        }
    }
    for quantiser in &quantisers {
        let of = |model: &&ModelResult| match &model.likelihood {
            Measured::Value(likelihood) if likelihood.quantiser == *quantiser => Ok(likelihood.clone()),
            Measured::Value(likelihood) => Err(format!("its quantiser is {}", likelihood.quantiser)),
            Measured::NotApplicable(reason) => Err(reason.clone()),
        };
        let cells = |nats: bool| -> Cells {
            let figure =
                |likelihood: &super::likelihood::Likelihood| if nats { likelihood.nats } else { likelihood.bits };
            models.iter().map(|model| of(model).map(|found| (mean(&figure(&found), 3), figure(&found).mean))).collect()
        };
        let uniform = |nats: bool| {
            let unit = if nats { 1.0 } else { std::f64::consts::LN_2 };
            let known = models.iter().find_map(|model| of(model).ok());
            known.map_or_else(String::new, |found| format!("{:.3} knowing nothing", found.uniform_nats / unit))
        };
        for (unit, nats) in [("bits", false), ("nats", true)] {
            let measure = format!("held-out NLL, {unit} per frame ({quantiser})");
            rows.push(row(&measure, uniform(nats), cells(nats), Wish::Small));
        }
    }
    if quantisers.is_empty() {
        let cells = each(models, |model| &model.likelihood, |_| (String::new(), f64::NAN));
        rows.push(row("held-out NLL", String::new(), cells, Wish::Nothing));
    }
}

fn squared_errors(rows: &mut Vec<Row>, corpus: &CorpusResult, models: &[&ModelResult]) {
    let zero = corpus.squared_error.zero.map_or_else(String::new, |zero| format!("silence {}", small(&zero)));
    let cells = each(models, |model| &model.squared_error, |found| (small(&found.error), found.error.mean));
    rows.push(row("squared error of the second after a held-out clip", zero, cells, Wish::Small));
    let again = corpus.squared_error.again.as_ref();
    let again = again.map_or_else(String::new, |again| format!("silence 1, clip again {}", mean(&again.relative, 2)));
    let cells = each(models, |model| &model.squared_error, |found| (mean(&found.relative, 2), found.relative.mean));
    rows.push(row("the same over the energy of what follows", again, cells, Wish::Small));
    let as_before = models.iter().find_map(|model| model.one_step.value()).map(|step| step.as_before);
    let as_before = as_before.map_or_else(String::new, |error| format!("frame before again {}", small(&error)));
    let cells = each(models, |model| &model.one_step, |found| (small(&found.error), found.error.mean));
    rows.push(row("squared error of the next frame alone", as_before, cells, Wish::Small));
}

/// A mean of the size of a squared amplitude.
fn small(mean: &Mean) -> String {
    match mean.standard_error {
        Some(error) => format!("{:.2e} ± {error:.0e}", mean.mean),
        None => format!("{:.2e}", mean.mean),
    }
}

fn sounds(rows: &mut Vec<Row>, corpus: &CorpusResult, models: &[&ModelResult]) {
    let own = &corpus.sound;
    let mut sound = |measure: &str, digits: usize, of: fn(&SoundMeans) -> Option<Mean>| {
        let cells = models.iter().map(|model| {
            let found = of(&model.sound).ok_or_else(|| "all its sounds are silent".to_owned())?;
            Ok((mean(&found, digits), found.mean))
        });
        let wanted = of(own);
        let corpus = wanted.as_ref().map_or_else(String::new, |wanted| mean(wanted, digits));
        let wish = wanted.map_or(Wish::Nothing, |wanted| Wish::Near(wanted.mean));
        rows.push(row(measure, corpus, cells.collect(), wish));
    };
    sound("level, dBFS (RMS)", 1, |means| Some(means.level_db));
    sound("spectral centroid, Hz", 0, |means| Some(means.centroid_hz));
    sound("onsets per second", 2, |means| Some(means.onsets_per_second));
    sound("noise floor between partials, 1–8 kHz, dB", 1, |means| means.noise_floor_db);
    sound("pops per minute", 2, |means| Some(means.pops_per_minute));
    let cells = models.iter().map(|model| {
        let found = model.collapsed;
        let bad = found.silence + found.noise;
        let text = if bad == 0 { "none".into() } else { format!("{} silent, {} noise", found.silence, found.noise) };
        Ok((format!("{text} of {}", found.of), bad as f64))
    });
    rows.push(row("sounds that are silence or noise", String::new(), cells.collect(), Wish::Small));
}

fn drifts(rows: &mut Vec<Row>, corpus: &CorpusResult, models: &[&ModelResult]) {
    use super::drift::Slopes;
    let mut drift = |measure: &str, digits: usize, of: fn(&Slopes) -> Option<Mean>| {
        let cells = models.iter().map(|model| match &model.drift {
            Measured::Value(drift) => {
                let slope = drift
                    .per_minute
                    .as_ref()
                    .and_then(of)
                    .ok_or_else(|| "it falls silent, or is too short".to_owned())?;
                Ok((signed(&slope, digits), slope.mean))
            }
            Measured::NotApplicable(reason) => Err(reason.clone()),
        });
        let own = corpus.drift.as_ref().and_then(|drift| drift.per_minute.as_ref()).and_then(of);
        let own = own.map_or_else(String::new, |own| signed(&own, digits));
        rows.push(row(measure, own, cells.collect(), Wish::Near(0.0)));
    };
    drift("drift of the level, dB per minute", 1, |slopes| Some(slopes.level_db));
    drift("drift of the centroid, Hz per minute", 0, |slopes| Some(slopes.centroid_hz));
    drift("drift of the onsets per second, per minute", 2, |slopes| Some(slopes.onsets_per_second));
    drift("drift of the noise floor, dB per minute", 1, |slopes| slopes.noise_floor_db);
}

fn signed(mean: &Mean, digits: usize) -> String {
    match mean.standard_error {
        Some(error) => format!("{:+.digits$} ± {error:.digits$}", mean.mean),
        None => format!("{:+.digits$}", mean.mean),
    }
}

fn memories(rows: &mut Vec<Row>, corpus: &CorpusResult, models: &[&ModelResult]) {
    use super::memory::Memory;
    let mut memory = |measure: &str, of: fn(&Memory) -> (f64, f64)| {
        let text = |memory: &Memory| format!("{:.2}, largest {:.2}", of(memory).0, of(memory).1);
        let cells = each(models, |model| &model.memory, |memory| (text(memory), of(memory).1));
        let own = corpus.memory.as_ref().map_or_else(String::new, text);
        rows.push(row(measure, own, cells, Wish::Nothing));
    };
    memory("nearest training second, correlation of mel spectra", |memory| (memory.mel_median, memory.mel_largest));
    memory("the same of waveforms; a copy has 1", |memory| (memory.waveform_median, memory.waveform_largest));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_is_marked_and_a_reason_is_none() {
        let cells =
            || vec![Ok(("3".into(), 3.0)), Err("why".to_owned()), Ok(("-4".into(), -4.0)), Ok(("x".into(), f64::NAN))];
        let best = |wish| row("m", String::new(), cells(), wish).models.iter().position(|figure| figure.best);
        assert_eq!((best(Wish::Small), best(Wish::Near(1.0)), best(Wish::Nothing)), (Some(2), Some(0), None));
        let alone = row("m", String::new(), cells()[..2].to_vec(), Wish::Small);
        assert!(alone.models.iter().all(|figure| !figure.best), "one model is no contest");
        let equal = vec![Ok(("0".into(), 0.0)), Ok(("0".into(), 0.0))];
        assert!(row("m", String::new(), equal, Wish::Small).models.iter().all(|figure| !figure.best));
        assert_eq!((alone.models[1].text.as_str(), alone.models[1].is_reason), ("not applicable: why", true));
    }
}
