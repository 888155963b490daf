//! The pinned take in a CLAP host: its level at the seam, what it does at its end, and how it goes with the tempo.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::float_cmp)]

mod common;

use common::host::{ClapId, Plugin, Setup};
use common::{Bundle, bits, finished_state, heard_of, play, render, roll, sound, take, wait_for_take};
use continuo_engine::audio::{WavFormat, write_wav};
use serde_json::{Value, json};

/// What happens at a frame of a song.
#[derive(Debug, Clone, Copy)]
enum Act {
    Set((ClapId, f64)),
    Tempo(f64),
}

/// Bounces `frames` frames from `position` on in blocks of `block`, with what happens at the song's frames. The tempo changes
/// between blocks, as hosts change it.
fn bounce(plugin: &mut Plugin, block: u32, acts: &[(i64, Act)], (position, frames): (i64, usize)) -> Vec<[f32; 2]> {
    plugin.set_offline().unwrap();
    plugin
        .play(
            Setup { sample_rate_hz: 48_000, block },
            |_| {},
            |deck| {
                (deck.playing, deck.position) = (true, position);
                let mut heard = Vec::new();
                while heard.len() < frames {
                    let start = deck.position;
                    let tempo = |(at, act): &&(i64, Act)| matches!(act, Act::Tempo(_)) && *at > start;
                    let next = acts.iter().filter(tempo).map(|(at, _)| at - start).min().unwrap_or(i64::MAX);
                    let count = (frames - heard.len()).min(block as usize).min(next as usize);
                    for (at, act) in acts.iter().filter(|(at, _)| (start..start + count as i64).contains(at)) {
                        match *act {
                            Act::Set(value) => deck.set((at - start) as u32, value),
                            Act::Tempo(tempo) => deck.change_tempo(tempo),
                        }
                    }
                    heard.extend(roll(deck, count, block)?);
                }
                Ok(heard)
            },
        )
        .unwrap()
}

/// An instance with a finished take: half a second of clip, a second of continuation, made at 120 quarter notes per minute.
fn instrument() -> (std::sync::Arc<Bundle>, Plugin, [Vec<f32>; 2]) {
    let (bundle, state) = finished_state();
    let mut plugin = bundle.load();
    assert!(plugin.restore(&state).unwrap());
    let heard = heard_of(&take(&state), 48_000, 0, (true, true));
    (bundle, plugin, heard)
}

fn acts(plugin: &mut Plugin, values: &[(i64, &str, &str)]) -> Vec<(i64, Act)> {
    values.iter().map(|(at, id, text)| (*at, Act::Set(plugin.value(id, text).unwrap()))).collect()
}

/// How often the left channel swings in a second.
fn hz(heard: &[[f32; 2]]) -> f64 {
    let rises: Vec<usize> = (1..heard.len()).filter(|&at| heard[at - 1][0] < 0.0 && heard[at][0] >= 0.0).collect();
    (rises.len() - 1) as f64 * 48_000.0 / (rises[rises.len() - 1] - rises[0]) as f64
}

#[test]
fn a_continuation_has_its_clips_level_while_it_is_made_and_ever_after() {
    let bundle = Bundle::new();
    // What a model of random weights plays is as loud as can be: quieter than it is the clip.
    let mut clip = common::seed_clip();
    clip.channels.iter_mut().flatten().for_each(|value| *value *= 0.2);
    write_wav(&bundle.seed, &clip, WavFormat::I24).unwrap();
    let values = [("length", "2.5"), ("takes", "2"), ("rng_seed", "5")];
    let frames = 24_000 + 120_000;
    // While it is being rendered, which an offline host waits for.
    let (live, state) = render(&bundle, &values, frames as f64 / 48_000.0);
    let made = take(&state);
    assert_eq!(made.recipe.tempo, Some(120.0));
    let [left, right] = heard_of(&made, 48_000, 0, (true, true));
    let [raw, _] = sound(&made, 48_000, 0, true);
    let same = |heard: &[[f32; 2]], left: &[f32], right: &[f32]| {
        (0..frames - 240).all(|frame| heard[frame][0] == left[frame] && heard[frame][1] == right[frame])
    };
    assert!(same(&live, &left, &right), "the bounce during the render");
    assert!(left[..23_760] == raw[..23_760] && (24_000..30_000).any(|frame| left[frame] != raw[frame]));
    for block in [64, 441] {
        let mut plugin = bundle.load();
        assert!(plugin.restore(&state).unwrap());
        assert!(same(&play(&mut plugin, 48_000, block, &[], 0, frames, false), &left, &right));
        let off = play(&mut plugin, 48_000, block, &[("level_match", "off")], 0, frames, false);
        let [raw, other] = sound(&made, 48_000, 0, true);
        assert!(same(&off, &raw, &other), "the take itself stays as it was made");
        let saved = wait_for_take(&mut plugin, |_| true);
        assert_eq!(take(&saved), made);
    }
}

#[test]
fn a_loop_begins_anew_at_its_own_length_or_at_bars() {
    let (_bundle, mut plugin, [left, _]) = instrument();
    let looped =
        acts(&mut plugin, &[(0, "at_end", "Loop all"), (0, "loop_bars", "off"), (0, "loop_crossfade", "10 ms")]);
    let heard = bounce(&mut plugin, 256, &looped, (0, 200_000));
    let period = 72_000 - 480;
    for pass in 0..2 {
        let at = pass * period;
        assert!((480..period).all(|frame| heard[at + frame][0] == left[frame]), "pass {pass}");
    }
    // From the seam on: the continuation alone.
    let looped = acts(&mut plugin, &[(0, "at_end", "Loop from seam")]);
    let heard = bounce(&mut plugin, 256, &looped, (0, 200_000));
    assert!((0..period).all(|frame| heard[frame][0] == left[frame]));
    let second = 24_000 + 480..period;
    assert!(second.clone().all(|frame| heard[frame + period - 24_000][0] == left[frame]));
    // A bar of 2 s is nearest to a second and a half: it waits for the next one.
    let looped = acts(&mut plugin, &[(0, "at_end", "Loop all"), (0, "loop_bars", "on")]);
    let heard = bounce(&mut plugin, 256, &looped, (0, 200_000));
    assert!((0..70_000).all(|frame| heard[frame][0] == left[frame] && heard[96_000 + frame][0] == left[frame]));
    assert!(heard[72_000..96_000].iter().flatten().all(|value| *value == 0.0));
    // Fading out and stopping.
    let faded = acts(&mut plugin, &[(0, "at_end", "Fade out"), (0, "end_fade", "0.5 s")]);
    let heard = bounce(&mut plugin, 256, &faded, (0, 100_000));
    assert!((0..48_000).all(|frame| heard[frame][0] == left[frame]));
    assert!((60_000..71_000).all(|frame| heard[frame][0].abs() <= 0.71 * left[frame].abs() + 1e-6));
    assert!(heard[72_000..].iter().flatten().all(|value| *value == 0.0));
}

#[test]
fn a_take_in_bars_is_as_fast_as_the_song() {
    let (_bundle, mut plugin, _) = instrument();
    let mut song = acts(&mut plugin, &[(0, "tempo_mode", "Stay in bars")]);
    // The clip's left channel is a tone of 220 Hz over one quarter note.
    for (tempo, factor) in [(60.0, 0.5), (120.0, 1.0), (180.0, 1.5)] {
        song.push((0, Act::Tempo(tempo)));
        let heard = bounce(&mut plugin, 333, &song, (0, 15_000));
        let found = hz(&heard[500..14_500]);
        assert!((found / (220.0 * factor) - 1.0).abs() < 0.01, "{found} Hz at {tempo}");
        song.pop();
    }
    // The seam is on its quarter note although the tempo changes twice before it: 12 000 frames are half of one at 120, then
    // a quarter at 60, and the rest at 240.
    song.extend([(12_000, Act::Tempo(60.0)), (24_000, Act::Tempo(240.0))]);
    let heard = bounce(&mut plugin, 64, &song, (0, 40_000));
    let [before, there] = [heard[23_000..24_000].to_vec(), heard[24_100..26_900].to_vec()];
    assert!((hz(&before) / 110.0 - 1.0).abs() < 0.03 && (hz(&there) / 440.0 - 1.0).abs() < 0.03);
}

#[test]
fn a_bounce_with_automation_and_changing_tempo_is_the_same_at_every_block_size() {
    let mut first: Option<Vec<[u32; 2]>> = None;
    for block in [32, 64, 441, 1_024] {
        let (_bundle, mut plugin, _) = instrument();
        let mut song = acts(
            &mut plugin,
            &[
                (-500, "at_end", "Loop all"),
                (-500, "loop_bars", "off"),
                (-500, "loop_crossfade", "300 ms"),
                (100_003, "loop_bars", "on"),
                (130_001, "tempo_mode", "Stay in bars"),
                (180_007, "at_end", "Loop from seam"),
                (200_000, "level_match", "off"),
                (220_011, "level_match", "on"),
                (260_001, "loop_crossfade", "5 ms"),
                (300_017, "loop_bars", "off"),
                (330_001, "at_end", "Fade out"),
                (330_002, "tempo_mode", "Keep length"),
                (331_000, "at_end", "Loop all"),
                (360_005, "gain", "-6"),
            ],
        );
        for (at, tempo) in [(40_000, 97.0), (140_001, 133.7), (150_000, 71.0), (290_003, 120.0), (350_009, 180.0)] {
            song.push((at, Act::Tempo(tempo)));
        }
        let heard = bounce(&mut plugin, block, &song, (-500, 400_000));
        assert!(heard[390_000..].iter().any(|frame| frame[0] != 0.0));
        let heard = bits(&heard);
        let other = first.get_or_insert_with(|| heard.clone()).iter().zip(&heard).position(|(a, b)| a != b);
        assert_eq!(other, None, "blocks of {block}");
    }
}

#[test]
fn a_project_from_before_stops_and_keeps_its_length_and_level() {
    let golden = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/states/1b/inline.state")).unwrap();
    let mut whole: Value = serde_json::from_slice(&zstd::decode_all(&golden[8..]).unwrap()).unwrap();
    whole["params"] = json!({});
    let packed = zstd::encode_all(whole.to_string().as_bytes(), 1).unwrap();
    let state = [&(packed.len() as u64).to_le_bytes(), packed.as_slice()].concat();
    let made = take(&state);
    assert_eq!(made.recipe.tempo, None);
    let [left, right] = sound(&made, 48_000, 0, true);
    let bundle = Bundle::new();
    let mut plugin = bundle.load();
    assert!(plugin.restore(&state).unwrap());
    // Nobody knows its tempo, so it keeps its length also when it is asked to stay in bars.
    for values in [&[][..], &[(0, "tempo_mode", "Stay in bars")]] {
        let mut song = acts(&mut plugin, values);
        song.extend([(0, Act::Tempo(97.0)), (9_000, Act::Tempo(140.0))]);
        let heard = bounce(&mut plugin, 441, &song, (0, left.len() + 60_000));
        for frame in 0..left.len() - 240 {
            assert_eq!(heard[frame], [left[frame], right[frame]], "frame {frame}");
        }
        assert!(heard[left.len()..].iter().flatten().all(|value| *value == 0.0));
    }
}
