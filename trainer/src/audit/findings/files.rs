//! Findings about files: what cannot be read, what is there twice, what is too short.

use super::finding::{Finding, Weight};
use crate::audit::facts::{Facts, kind_in_words};
use crate::prepare::SkipKind;
use crate::prepare::words::{counted, hours, numbered, percent};

/// Everything about files.
pub(super) fn find(facts: &Facts) -> Vec<Finding> {
    let mut found = vec![nothing(facts), broken(facts), losses(facts), duplicates(facts), nearly_the_same(facts)];
    found.extend([too_short(facts), short_of_context(facts), few(facts), single(facts)]);
    found.into_iter().flatten().collect()
}

fn nothing(facts: &Facts) -> Option<Finding> {
    if !facts.recordings.is_empty() {
        return None;
    }
    let kinds = facts.left_out();
    let reasons: Vec<String> =
        kinds.iter().map(|(&kind, amount)| format!("{} {}", amount.files, kind_in_words(kind))).collect();
    let silent = kinds.get(&SkipKind::Silent).map_or(0, |amount| amount.files);
    let advice = if silent > 0 && facts.trim_silence_dbfs.is_some() {
        "choose a lower --trim-silence, or none"
    } else if silent > 0 {
        "the files hold next to no sound: look whether the right track or channel was exported"
    } else {
        "give a folder with WAV, AIFF, FLAC, MP3, OGG or M4A files; the list below says what is wrong with each file"
    };
    let what = format!("none of {} can be used ({})", counted(facts.skipped.len(), "file"), reasons.join(", "));
    Some(Finding::new(Weight::Stop, "nothing-usable", what, advice))
}

fn broken(facts: &Facts) -> Option<Finding> {
    let kinds = [SkipKind::Damaged, SkipKind::Unreadable, SkipKind::Unsupported, SkipKind::Empty];
    let files: Vec<_> = facts.skipped.iter().filter(|skipped| kinds.contains(&skipped.kind)).collect();
    // What has an ending of audio and is none.
    let mislabelled = |name: &str| {
        let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).unwrap_or_default();
        ["wav", "aif", "aiff", "flac", "mp3", "ogg", "opus", "m4a", "caf"].contains(&ending.as_str())
    };
    let no_audio = facts.skipped.iter().filter(|s| s.kind == SkipKind::NotAudio && mislabelled(&s.name));
    let no_audio: Vec<_> =
        no_audio.filter(|s| !s.name.rsplit('/').next().unwrap_or_default().starts_with('.')).collect();
    if files.is_empty() && no_audio.is_empty() {
        return None;
    }
    let all = files.len() + no_audio.len();
    let what = format!("{} cannot be read", counted(all, "sound file"));
    let names = files.iter().chain(&no_audio).map(|skipped| format!("{}: {}", skipped.name, skipped.reason));
    let advice = "copy or export them again; what cannot be mended is left out by `prepare`";
    Some(
        Finding::new(Weight::Warning, "unreadable", what, advice)
            .of(all as f64 / (all + facts.recordings.len()) as f64)
            .about(names),
    )
}

fn losses(facts: &Facts) -> Option<Finding> {
    let odd: Vec<_> = facts.recordings.iter().filter(|recording| !recording.warnings.is_empty()).collect();
    if odd.is_empty() {
        return None;
    }
    let what = format!("{} usable, but not whole", numbered(odd.len(), "file is", "files are"));
    let names = odd.iter().map(|recording| format!("{}: {}", recording.name, recording.warnings.join("; ")));
    Some(
        Finding::new(Weight::Warning, "incomplete", what, "copy them again from where they are whole")
            .of(odd.len() as f64 / facts.recordings.len() as f64)
            .about(names),
    )
}

fn duplicates(facts: &Facts) -> Option<Finding> {
    let doubles: Vec<_> = facts.skipped.iter().filter(|skipped| skipped.kind == SkipKind::Duplicate).collect();
    if doubles.is_empty() {
        return None;
    }
    let amount = facts.hours(doubles.iter().filter_map(|skipped| skipped.frames).sum());
    let what = format!("{} of what is there already ({})", counted(doubles.len(), "duplicate"), hours(amount));
    let advice = "nothing to do: `prepare` keeps the first of each and leaves the others out";
    let names = doubles.iter().map(|skipped| format!("{}: {}", skipped.name, skipped.reason));
    Some(
        Finding::new(Weight::Note, "duplicates", what, advice)
            .of(doubles.len() as f64 / (doubles.len() + facts.recordings.len()) as f64)
            .about(names),
    )
}

fn nearly_the_same(facts: &Facts) -> Option<Finding> {
    if facts.nearly_the_same.is_empty() {
        return None;
    }
    let pair = |&(first, second): &(usize, usize)| {
        let name = |at: usize| facts.recordings.get(at).map_or("", |recording| recording.name.as_str());
        format!("{} is like {}", name(second), name(first))
    };
    let frames: u64 =
        facts.nearly_the_same.iter().filter_map(|&(_, second)| facts.recordings.get(second)).map(|r| r.frames).sum();
    let share = facts.hours(frames) / facts.kept().hours.max(1e-12);
    let what = format!(
        "{} nearly the same as another one ({}): the same performance in another format or mastering",
        numbered(facts.nearly_the_same.len(), "recording is", "recordings are"),
        hours(facts.hours(frames))
    );
    let advice =
        "keep one of each: `prepare` keeps both, and with one of them held out the held-out loss would flatter";
    Some(
        Finding::new(Weight::Warning, "nearly-the-same", what, advice)
            .of(share)
            .about(facts.nearly_the_same.iter().map(pair)),
    )
}

fn too_short(facts: &Facts) -> Option<Finding> {
    let needs = facts.needs.as_ref()?;
    let rate = f64::from(facts.rate_hz);
    let chunk = needs.chunk_frames as u64;
    let short: Vec<_> = facts.recordings.iter().filter(|recording| recording.frames < chunk).collect();
    let longest = facts.recordings.iter().map(|recording| recording.frames).max().filter(|_| !short.is_empty())?;
    let lost = facts.hours(short.iter().map(|recording| recording.frames).sum());
    let all = facts.kept().hours.max(1e-12);
    let seconds = |frames: u64| frames as f64 / rate;
    let what = if short.len() == facts.recordings.len() {
        format!(
            "{} is as long as one chunk of {} frames ({:.2} s): the longest has {:.2} s. Training cannot begin",
            if short.len() == 1 {
                "not even the only recording".to_owned()
            } else {
                format!("none of the {} recordings", short.len())
            },
            needs.chunk_frames,
            seconds(chunk),
            seconds(longest)
        )
    } else {
        format!(
            "{} of {} recordings ({}, {} of the hours) are shorter than one chunk of {:.2} s and are never used",
            short.len(),
            facts.recordings.len(),
            hours(lost),
            percent(lost / all),
            seconds(chunk)
        )
    };
    let everything = short.len() == facts.recordings.len();
    let weight = match lost / all {
        _ if everything => Weight::Stop,
        share if share > 0.02 => Weight::Warning,
        _ => Weight::Note,
    };
    // The shortest chunk that would use nine tenths of the recordings.
    let mut lengths: Vec<u64> = facts.recordings.iter().map(|recording| recording.frames).collect();
    lengths.sort_unstable();
    let enough = lengths.get(lengths.len() / 10).copied().unwrap_or(longest);
    let advice = format!("set chunk_frames to {enough} or less, or join short recordings to longer files");
    let names = short.iter().map(|recording| format!("{}: {:.2} s", recording.name, seconds(recording.frames)));
    Some(Finding::new(weight, "too-short", what, advice).of(lost / all).about(names))
}

fn short_of_context(facts: &Facts) -> Option<Finding> {
    let needs = facts.needs.as_ref()?;
    let whole = (needs.chunk_frames + needs.context_frames) as u64;
    let usable = facts.recordings.iter().filter(|recording| recording.frames >= needs.chunk_frames as u64);
    let (count, short) = usable.fold((0, 0), |(count, short), r| (count + 1, short + usize::from(r.frames < whole)));
    if short * 4 <= count {
        return None;
    }
    let what = format!(
        "{short} of {count} usable recordings are shorter than chunk and receptive field together ({:.2} s): the model mostly \
         hears silence before what it learns",
        whole as f64 / f64::from(facts.rate_hz)
    );
    let advice = "join short recordings, or take a configuration with a shorter receptive field";
    Some(Finding::new(Weight::Warning, "short-of-context", what, advice))
}

fn few(facts: &Facts) -> Option<Finding> {
    let kept = facts.kept();
    let (weight, advice) = match 60.0 * kept.hours {
        _ if kept.files == 0 => return None,
        minutes if minutes < 0.5 => (
            Weight::Stop,
            "record more: with so little a model can only learn it by heart. Minutes are enough for a try, hours for music",
        ),
        minutes if minutes < 20.0 => (
            Weight::Warning,
            "record more, or start from a trained model with `train --init`: a model learns so little by heart",
        ),
        minutes if minutes < 60.0 => {
            (Weight::Note, "more recordings of the same kind would help: published models were trained on many hours")
        }
        _ => return None,
    };
    let what = format!("only {} of audio in all", hours(kept.hours));
    Some(Finding::new(weight, "little-audio", what, advice))
}

fn single(facts: &Facts) -> Option<Finding> {
    if facts.recordings.len() != 1 || facts.holdout <= 0.0 {
        return None;
    }
    let what = "there is only one recording, so none can be held out: nothing will tell when to stop";
    let advice = "cut it into several files (movements, takes, minutes), some of which are then held out";
    Some(Finding::new(Weight::Warning, "nothing-held-out", what, advice))
}
